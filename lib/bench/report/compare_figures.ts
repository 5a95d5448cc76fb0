import type { BenchResult, Row } from '../result.js';
import { spread, type Spread } from '../statistics.js';
import { cpuSecondsPerGiB, gigabytesPerSecond, limitOf, memoryOf, ratiosOf, valuesOf } from './figures.js';
import { rankSumProbability } from './rank_sum.js';
import { digits, shortSize, timeIn } from './units.js';

/** Below this probability, that one and the same target gives two such sets of rounds, a difference is marked. */
export const significance = 0.05;

export interface ComparedFigure {
  readonly name: string;
  readonly text: (value: number) => string;
  readonly left: Spread;
  readonly right: Spread;
  readonly probability: number;
  /** `undefined` where the rounds do not tell them apart. */
  readonly verdict: 'better' | 'worse' | undefined;
  /** No value of one lies within the range of the other, but so few rounds show that by chance often enough. */
  readonly tooFew: boolean;
}

export interface ComparedRow {
  readonly row: Row;
  readonly figures: readonly ComparedFigure[];
}

interface Figure {
  readonly name: string;
  readonly higherIsBetter?: true;
  readonly text: (value: number) => string;
  readonly values: (row: Row, result: BenchResult) => number[];
}

const rate: Figure = {
  name: 'durable GB/s',
  higherIsBetter: true,
  text: digits,
  values: ({ samples }) => samples.map(gigabytesPerSecond),
};

const others: readonly Figure[] = [
  {
    name: 'over the limit',
    higherIsBetter: true,
    text: digits,
    values: (row, { rows }) => ratiosOf(row, limitOf(rows, row.phase)),
  },
  { name: 'pause', text: timeIn, values: ({ samples }) => valuesOf(samples, (sample) => sample.pauseSeconds) },
  { name: 'CPU s/GiB', text: digits, values: ({ samples }) => samples.map(cpuSecondsPerGiB) },
  { name: 'memory', text: shortSize, values: (row) => valuesOf(row.samples, (sample) => memoryOf(row, sample)) },
];

/** Of a limit the rate alone: its ratio is over itself. */
const figuresOf = ({ kind }: Row): readonly Figure[] => (kind === 'limit' ? [rate] : [rate, ...others]);

function compareValues(
  figure: Figure,
  leftValues: readonly number[],
  rightValues: readonly number[],
): ComparedFigure[] {
  const [left, right] = [spread(leftValues), spread(rightValues)];
  if (left === undefined || right === undefined) return [];
  const probability = rankSumProbability(leftValues, rightValues);
  const told = probability < significance && left.median !== right.median;
  const better = right.median > left.median === (figure.higherIsBetter ?? false);
  const apart = left.max < right.min || right.max < left.min;
  const { name, text } = figure;
  return [
    {
      name,
      text,
      left,
      right,
      probability,
      verdict: told ? (better ? 'better' : 'worse') : undefined,
      tooFew: apart && !told,
    },
  ];
}

/** Rows that both have, by phase and id, in the order of the left. */
export function compareRows(left: BenchResult, right: BenchResult): ComparedRow[] {
  return left.rows.flatMap((row) => {
    const other = right.rows.find(({ id, phase }) => id === row.id && phase === row.phase);
    if (other === undefined) return [];
    const figures = figuresOf(row).flatMap((figure) =>
      compareValues(figure, figure.values(row, left), figure.values(other, right)),
    );
    return figures.length === 0 ? [] : [{ row, figures }];
  });
}
