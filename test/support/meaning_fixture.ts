import type { Meaning } from '../../lib/bench/result.js';

const GiB = 2 ** 30;

export function makeMeaning(): Meaning {
  const meanTimeBetweenFailuresSeconds = 8 * 3600;
  const lossOf = (way: 'blocking' | 'background', pauseSeconds: number, saveSeconds: number) => {
    const lost = (interval: number): number =>
      Math.min(1, pauseSeconds / interval + (interval / 2 + saveSeconds + 60) / meanTimeBetweenFailuresSeconds);
    const intervals = Array.from({ length: 25 }, (_, index) => 30 * 10 ** (index / 10));
    const best = Math.sqrt(2 * pauseSeconds * meanTimeBetweenFailuresSeconds);
    return {
      way,
      pauseSeconds,
      bestIntervalSeconds: best,
      lostShare: lost(best),
      points: intervals.map((intervalSeconds) => ({ intervalSeconds, lostShare: lost(intervalSeconds) })),
    };
  };
  return {
    stateBytes: 112 * GiB,
    ranks: 8,
    stepSeconds: 2.4,
    meanTimeBetweenFailuresSeconds,
    saveSeconds: 54,
    restoreSeconds: 60,
    losses: [lossOf('blocking', 54, 54), lossOf('background', 6.5, 54)],
  };
}
