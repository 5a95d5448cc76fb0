import type { Loss, Meaning } from '../../result.js';

export interface LossCurve {
  readonly way: Loss['way'];
  readonly points: readonly (readonly [intervalSeconds: number, lostShare: number])[];
  readonly best: readonly [intervalSeconds: number, lostShare: number];
}

/** Share of training time lost against the interval between saves. */
export interface LossChart {
  readonly curves: readonly LossCurve[];
}

export function lossChart({ losses }: Meaning): LossChart | undefined {
  const curves = losses
    .filter(({ points }) => points.length > 1)
    .map(({ way, points, bestIntervalSeconds, lostShare }): LossCurve => ({
      way,
      points: points
        .map((point) => [point.intervalSeconds, point.lostShare] as const)
        .toSorted((left, right) => left[0] - right[0]),
      best: [bestIntervalSeconds, lostShare],
    }));
  return curves.length === 0 ? undefined : { curves };
}
