/** What a sweep along one axis means: which points need not be measured on, and which value to take. */
import type { Difference, Noise } from './tune_noise.js';
import type { MeasuredPoint } from './tune_points.js';

/** Gains below these are not worth an option of one's own, however sure they are. */
export const gainMin = { rate: 0.03, cpu: 0.1 };
/** A pause that is longer by this, by more than noise, and by more than the rate is higher, is too long. */
const pauseLossMax = 0.1;
/** A point is given up early where it is slower by this, and by more than noise. */
const dropLoss = 0.1;
/** Differences found early are seen again and again, and so must be surer: 3 standard errors, or as the margin says. */
const dropErrors = 3;

/** The noise of each of the things that are compared. */
export interface NoiseOf {
  readonly rate: Noise;
  readonly cpu: Noise;
  readonly pause: Noise;
}

export interface Choice {
  readonly point: MeasuredPoint;
  /** Why it is another than the one that was the best so far. */
  readonly gain: 'none' | 'rate' | 'cpu';
}

/** Of the points of an axis, those that are still worth measuring; `kept` always are. */
export function contenders(
  points: readonly MeasuredPoint[],
  kept: readonly MeasuredPoint[],
  noise: NoiseOf,
): MeasuredPoint[] {
  return points.filter((point) => {
    if (kept.includes(point)) return true;
    return !points.some((other) => {
      const { value, error, margin } = noise.rate.difference(other.rate, point.rate);
      return value > Math.max(margin, dropErrors * error, dropLoss);
    });
  });
}

/**
 * The value to take from an axis. Where nothing is faster than the incumbent by more than noise, it stays, unless
 * another is as fast and costs less processor time. What lengthens the pause more than it speeds up the save is out.
 * Where something is faster, it is the one-standard-error rule (Breiman, Friedman, Olshen
 * and Stone, Classification and Regression Trees, 1984, section 3.4.3): not the best of a noisy curve, but the cheapest
 * point within one standard error of it; here also one that beats the incumbent beyond noise itself.
 * @param points cheapest first
 * @param incumbent one of them: the best so far
 */
export function choose(points: readonly MeasuredPoint[], incumbent: MeasuredPoint, noise: NoiseOf): Choice {
  const eligible = points.filter((point) => point === incumbent || !pausesLonger(point, incumbent, noise));
  const faster = eligible.filter((point) => isGain(noise.rate.difference(point.rate, incumbent.rate), gainMin.rate));
  if (faster.length > 0) return { point: knee(faster, noise), gain: 'rate' };
  const thrifty = thriftiest(eligible, incumbent, noise);
  return thrifty === undefined ? { point: incumbent, gain: 'none' } : { point: thrifty, gain: 'cpu' };
}

export function isGain({ value, margin }: Difference, least: number): boolean {
  return value > Math.max(margin, Math.log1p(least));
}

function knee(points: readonly MeasuredPoint[], noise: NoiseOf): MeasuredPoint {
  const [first, ...rest] = points;
  const best = rest.reduce((top, point) => (noise.rate.difference(point.rate, top.rate).value > 0 ? point : top), first!);
  return points.find((point) => {
    const { value, error } = noise.rate.difference(best.rate, point.rate);
    return value <= error;
  })!;
}

function pausesLonger(point: MeasuredPoint, incumbent: MeasuredPoint, noise: NoiseOf): boolean {
  const longer = noise.pause.difference(point.pause, incumbent.pause);
  const faster = noise.rate.difference(point.rate, incumbent.rate);
  return isGain(longer, pauseLossMax) && longer.value > faster.value;
}

/** Of those as fast as the incumbent, the one that saves the most processor time, if one saves any worth mentioning. */
function thriftiest(
  points: readonly MeasuredPoint[],
  incumbent: MeasuredPoint,
  noise: NoiseOf,
): MeasuredPoint | undefined {
  const saved = (point: MeasuredPoint): Difference => noise.cpu.difference(incumbent.cpu, point.cpu);
  return points
    .filter((point) => point !== incumbent && isGain(saved(point), gainMin.cpu))
    .filter((point) => noise.rate.difference(incumbent.rate, point.rate).value < Math.log1p(gainMin.rate))
    .toSorted((left, right) => saved(right).value - saved(left).value)[0];
}
