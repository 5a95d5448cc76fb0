/** How much of a difference is noise, where a disk is slow at one time and fast at another, and stalls now and then. */
import { spread } from './statistics.js';

/** Natural logarithms of what was measured of one point, by round: ratios become differences, and slow drift cancels. */
export type Cells = ReadonlyMap<number, number>;

/** How one point compares to another: logarithms of ratios. */
export interface Difference {
  /** Median over the rounds that both were measured in. */
  readonly value: number;
  /** One standard error of that median. */
  readonly error: number;
  /** What it has to exceed to be more than noise, 19 times of 20. */
  readonly margin: number;
}

/** The median of the absolute value of a standard normal variable. */
const normalMedian = 0.6745;
/** The standard error of a median over that of a mean, for normal variables: the square root of half of pi. */
const medianPenalty = 1.2533;
/** A robust estimate of a deviation knows as much as the classical one of so many fewer values. */
const robustEfficiency = 0.5;

/** Student's t, 97.5 %, by degrees of freedom; between two of them the higher value is taken. */
const studentQuantiles: readonly (readonly [degrees: number, quantile: number])[] = [
  [1, 12.71], [2, 4.3], [3, 3.18], [4, 2.78], [5, 2.57], [6, 2.45], [8, 2.31], [10, 2.23], [15, 2.13], [20, 2.09], [30, 2.04],
  [60, 2],
];

/**
 * The noise of one trial, pooled over all that was measured. Each two points in each two rounds give one value that
 * neither the points nor the rounds have a part in, `(a1 - b1) - (a2 - b2)`: four times the variance of one trial. Their
 * median does not mind a few outliers.
 */
export class Noise {
  #contrasts: number[] = [];
  #degrees = 0;
  #deviation: number | undefined;

  /** @param points measured in the same rounds */
  add(points: readonly Cells[]): void {
    this.#deviation = undefined;
    for (const [index, left] of points.entries()) {
      for (const right of points.slice(index + 1)) this.#contrasts.push(...contrastsOf(left, right));
    }
    const cells = points.reduce((sum, point) => sum + point.size, 0);
    const rounds = new Set(points.flatMap((point) => [...point.keys()])).size;
    this.#degrees += Math.max(0, cells - points.length - rounds + 1);
  }

  /** As a copy, to which more can be added. */
  with(points: readonly Cells[]): Noise {
    const noise = new Noise();
    noise.#contrasts = [...this.#contrasts];
    noise.#degrees = this.#degrees;
    noise.add(points);
    return noise;
  }

  /** Standard deviation of the logarithm of one trial; infinite while nothing is known. */
  get deviation(): number {
    this.#deviation ??= (spread(this.#contrasts)?.median ?? Infinity) / normalMedian / 2;
    return this.#deviation;
  }

  /** How much faster, say, `left` is than `right`, in the rounds that both have. */
  difference(left: Cells, right: Cells): Difference {
    const pairs = pairedDifferences(left, right);
    const value = spread(pairs)?.median ?? 0;
    const rounds = Math.max(1, pairs.length);
    const error = (medianPenalty * Math.SQRT2 * this.deviation) / Math.sqrt(rounds);
    return { value, error, margin: error * studentQuantile(this.#degrees * robustEfficiency) };
  }
}

function contrastsOf(left: Cells, right: Cells): number[] {
  const pairs = pairedDifferences(left, right);
  return pairs.flatMap((first, index) => pairs.slice(index + 1).map((second) => Math.abs(first - second)));
}

function pairedDifferences(left: Cells, right: Cells): number[] {
  return [...left].flatMap(([round, value]) => {
    const other = right.get(round);
    return other === undefined ? [] : [value - other];
  });
}

function studentQuantile(degrees: number): number {
  const known = studentQuantiles.findLast(([least]) => least <= degrees);
  return known?.[1] ?? studentQuantiles[0]![1];
}
