/**
 * What the figures mean for a training run that fails now and then: how much of its time goes into checkpoints, and
 * how often to save.
 *
 * Failures are a Poisson process: they strike at any time, also during a save or a restore, on average `M` apart.
 * `C` is how long training stands still for a save, `S` how long the save takes until it is published (of a blocking
 * save the two are equal), `R` how long a restore takes. Between the beginning of one save and that of the next lies
 * the interval `I = w + C`, in which `w` is work.
 *
 * A failure loses all since the beginning of the last save that was *published*. When a save has just been published,
 * the next one is `I` away, if nothing fails; after a failure it takes a restore and `w + S` without another one. The
 * time until a save is published, on average, is therefore
 *
 *     T(I) = M · e^(R/M) · e^((S - C)/M) · (e^(I/M) - 1)
 *
 * and the share of time that is lost `1 - w / T(I)`. With `S = C` this is the complete model of J. T. Daly, "A higher
 * order estimate of the optimum checkpoint interval for restart dumps", Future Generation Computer Systems 22 (2006),
 * 303-312, doi:10.1016/j.future.2004.11.016. Neither `R` nor `S - C` moves the optimum, only `C` and `M` do; but a save
 * must be published before the next begins, so `I` is never shorter than `S`.
 *
 * What a save in the background costs training meanwhile, and what it takes to start the processes again, is not in it.
 */
import { invalidArgument } from '../tensor/describe.js';
import type { Loss, Meaning } from './result.js';

export interface Costs {
  meanTimeBetweenFailuresSeconds: number;
  /** How long training stands still for a save. */
  pauseSeconds: number;
  /** From the beginning of a save until it is published. */
  saveSeconds: number;
  restoreSeconds: number;
}

export interface MeaningInput extends Costs {
  /** Of all ranks. */
  stateBytes: number;
  ranks: number;
  /** Where given, intervals hold whole steps. */
  stepSeconds?: number;
}

/**
 * For blocking saves, whose pause is the whole save, and for those in the background, with the pause that was measured.
 * @throws {SnapshardError} `INVALID_ARGUMENT` for a time that is negative or not finite; 0 is allowed for the pause and
 *   the restore
 */
export function meaningOf(input: MeaningInput): Meaning {
  requireTimes(input);
  const { stateBytes, ranks, stepSeconds, meanTimeBetweenFailuresSeconds, saveSeconds, restoreSeconds } = input;
  const times = { meanTimeBetweenFailuresSeconds, saveSeconds, restoreSeconds };
  const ways = [
    { way: 'blocking', costs: { ...times, pauseSeconds: saveSeconds } },
    { way: 'background', costs: { ...times, pauseSeconds: Math.min(input.pauseSeconds, saveSeconds) } },
  ] as const;
  const best = ways.map(({ costs }) => bestInterval(costs, stepSeconds));
  const intervals = spaced(Math.min(...best) / reach, Math.max(...best) * reach);
  const losses = ways.map(({ way, costs }, index): Loss => {
    const bestIntervalSeconds = best[index]!;
    const points = pointsOf(costs, [...intervals, bestIntervalSeconds], stepSeconds);
    const { pauseSeconds } = costs;
    return { way, pauseSeconds, bestIntervalSeconds, lostShare: lostShare(costs, bestIntervalSeconds), points };
  });
  return { stateBytes, ranks, ...(stepSeconds === undefined ? {} : { stepSeconds }), ...times, losses };
}

/**
 * Share of time, from 0 to 1, that is not progress: pauses, work done twice, restores.
 * @param intervalSeconds from the beginning of one save to that of the next, not shorter than `saveSeconds`
 */
export function lostShare(costs: Costs, intervalSeconds: number): number {
  const { meanTimeBetweenFailuresSeconds: mean, pauseSeconds, saveSeconds, restoreSeconds } = costs;
  const unpublished = saveSeconds - pauseSeconds;
  const expected = mean * Math.exp((restoreSeconds + unpublished) / mean) * Math.expm1(intervalSeconds / mean);
  return 1 - (intervalSeconds - pauseSeconds) / expected;
}

/**
 * Work between two saves that loses least, in first order: `√(2·C·M)`. J. W. Young, "A first order approximation to the
 * optimum checkpoint interval", Communications of the ACM 17 (1974), 530-531, doi:10.1145/361147.361115.
 */
export function youngWork(costSeconds: number, meanTimeBetweenFailuresSeconds: number): number {
  return Math.sqrt(2 * costSeconds * meanTimeBetweenFailuresSeconds);
}

/**
 * Work between two saves that loses least, in higher order: `√(2·C·M) · (1 + ⅓·√(C/2M) + ⅑·(C/2M)) - C`, and `M` where
 * the cost is twice `M` or more. J. T. Daly, 2006, cited above.
 */
export function dalyWork(costSeconds: number, meanTimeBetweenFailuresSeconds: number): number {
  const ratio = costSeconds / (2 * meanTimeBetweenFailuresSeconds);
  if (ratio >= 1) return meanTimeBetweenFailuresSeconds;
  const young = youngWork(costSeconds, meanTimeBetweenFailuresSeconds);
  return young * (1 + Math.sqrt(ratio) / 3 + ratio / 9) - costSeconds;
}

/** Of the points, beyond the best intervals on both sides. */
const reach = 20;
const pointCount = 120;

/** Daly's, or the shortest that is allowed; of the whole numbers of steps around it, the better. */
function bestInterval(costs: Costs, stepSeconds: number | undefined): number {
  const { pauseSeconds, saveSeconds, meanTimeBetweenFailuresSeconds } = costs;
  const work = dalyWork(pauseSeconds, meanTimeBetweenFailuresSeconds);
  if (stepSeconds === undefined) return Math.max(pauseSeconds + work, saveSeconds);
  const steps = Math.max(fewestSteps(costs, stepSeconds), Math.floor(work / stepSeconds));
  const [fewer, more] = [pauseSeconds + steps * stepSeconds, pauseSeconds + (steps + 1) * stepSeconds];
  return lostShare(costs, more) < lostShare(costs, fewer) ? more : fewer;
}

function fewestSteps({ pauseSeconds, saveSeconds }: Costs, stepSeconds: number): number {
  return Math.max(1, Math.ceil((saveSeconds - pauseSeconds) / stepSeconds));
}

/** Those of the intervals that are allowed, in whole steps, ascending. */
function pointsOf(costs: Costs, intervals: number[], stepSeconds: number | undefined): Loss['points'] {
  const { pauseSeconds, saveSeconds } = costs;
  const inSteps = (interval: number): number => {
    if (stepSeconds === undefined) return interval;
    const steps = Math.round((interval - pauseSeconds) / stepSeconds);
    return pauseSeconds + Math.max(fewestSteps(costs, stepSeconds), steps) * stepSeconds;
  };
  return [...new Set(intervals.map(inSteps))]
    .filter((interval) => interval >= saveSeconds && interval > pauseSeconds)
    .sort((left, right) => left - right)
    .map((intervalSeconds) => ({ intervalSeconds, lostShare: lostShare(costs, intervalSeconds) }));
}

/** Evenly, on a logarithmic axis. */
function spaced(from: number, to: number): number[] {
  return Array.from({ length: pointCount }, (_, index) => from * (to / from) ** (index / (pointCount - 1)));
}

function requireTimes(input: MeaningInput): void {
  const { meanTimeBetweenFailuresSeconds, saveSeconds, stepSeconds = 1, pauseSeconds, restoreSeconds } = input;
  const positive = { meanTimeBetweenFailuresSeconds, saveSeconds, stepSeconds };
  const any = { pauseSeconds, restoreSeconds };
  for (const [name, value] of Object.entries({ ...positive, ...any })) {
    if (Number.isFinite(value) && (value > 0 || (value === 0 && name in any))) continue;
    throw invalidArgument(`\`${name}\``, `a time ${name in any ? 'of 0 or more' : 'above 0'}`, value);
  }
}
