import { describe, expect, it } from 'vitest';
import { dalyWork, lostShare, meaningOf, youngWork, type Costs } from '../../lib/bench/meaning.js';

const hour = 3600;

/** As in mulberry32, so that runs repeat. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * A run, second by second of its own clock: it works, pauses, and fails. Saves are published some time after they
 * began; a failure takes the run back to the newest state that is published. Returns the share of time without progress.
 */
function simulate(costs: Costs, intervalSeconds: number, checkpoints: number, seed: number): number {
  const { meanTimeBetweenFailuresSeconds: mean, pauseSeconds, saveSeconds, restoreSeconds } = costs;
  const random = randomFrom(seed);
  const work = intervalSeconds - pauseSeconds;
  let now = 0;
  let fails = -mean * Math.log(1 - random());
  let state = 0;
  let safe = 0;
  let pending: { state: number; at: number } | undefined;

  /** False if the run failed meanwhile; then it has been restored. */
  const pass = (seconds: number): boolean => {
    if (now + seconds <= fails) {
      now += seconds;
      publish(now);
      return true;
    }
    publish(fails);
    pending = undefined;
    state = safe;
    do {
      now = fails;
      fails -= mean * Math.log(1 - random());
    } while (now + restoreSeconds > fails);
    now += restoreSeconds;
    return false;
  };
  const publish = (until: number): void => {
    if (pending === undefined || pending.at > until) return;
    safe = pending.state;
    pending = undefined;
  };

  while (safe < checkpoints) {
    if (!pass(work)) continue;
    state++;
    pending = { state, at: now + saveSeconds };
    pass(pauseSeconds);
  }
  return 1 - (checkpoints * work) / now;
}

describe('the best interval', () => {
  it('is what Daly publishes for a save of 5 minutes', () => {
    // Figures 3 to 5 of the paper: 24 h, 6 h and 15 minutes between failures; 117, 57 and 9.1 minutes of work.
    expect(Math.round(dalyWork(5, 24 * 60))).toBe(117);
    expect(Math.round(dalyWork(5, 6 * 60))).toBe(57);
    expect(dalyWork(5, 15)).toBeCloseTo(9.1, 1);
    expect(dalyWork(31, 15)).toBe(15);
  });

  it('is in first order what Young gives, where failures are rare', () => {
    expect(youngWork(5, 24 * 60)).toBe(120);
    const cost = 1;
    const mean = 1e8;
    expect(dalyWork(cost, mean) / youngWork(cost, mean)).toBeCloseTo(1, 3);
  });

  it.each([
    [24 * hour, 300, 300],
    [6 * hour, 300, 300],
    [3 * hour, 2, 60],
    [hour, 0.5, 20],
    [10 * 60, 20, 90],
  ])('loses hardly more than any other: M %d s, pause %d s, save %d s', (mean, pauseSeconds, saveSeconds) => {
    const input = { meanTimeBetweenFailuresSeconds: mean, pauseSeconds, saveSeconds, restoreSeconds: 30 };
    for (const { pauseSeconds: pause, bestIntervalSeconds, lostShare: lost } of meaningOf({
      ...input,
      stateBytes: 1,
      ranks: 1,
    }).losses) {
      const costs = { ...input, pauseSeconds: pause };
      for (let factor = 0.1; factor < 10; factor *= 1.01) {
        const interval = bestIntervalSeconds * factor;
        if (interval >= saveSeconds && interval > pause)
          expect(lost).toBeLessThan(lostShare(costs, interval) * 1.005 + 1e-12);
      }
    }
  });
});

describe('the share of time lost', () => {
  // Each run publishes 40,000 checkpoints; its share then lies within 2 % of what is expected, or 0.002.
  it.each<[string, Costs, number]>([
    ['blocking', { meanTimeBetweenFailuresSeconds: 3600, pauseSeconds: 60, saveSeconds: 60, restoreSeconds: 40 }, 700],
    [
      'blocking, failures often',
      { meanTimeBetweenFailuresSeconds: 100, pauseSeconds: 20, saveSeconds: 20, restoreSeconds: 30 },
      80,
    ],
    [
      'in the background',
      { meanTimeBetweenFailuresSeconds: 3600, pauseSeconds: 2, saveSeconds: 60, restoreSeconds: 40 },
      300,
    ],
    [
      'in the background, one after the other',
      { meanTimeBetweenFailuresSeconds: 300, pauseSeconds: 5, saveSeconds: 60, restoreSeconds: 100 },
      60,
    ],
    [
      'with no pause at all',
      { meanTimeBetweenFailuresSeconds: 500, pauseSeconds: 0, saveSeconds: 90, restoreSeconds: 10 },
      100,
    ],
    [
      'far too rarely',
      { meanTimeBetweenFailuresSeconds: 300, pauseSeconds: 5, saveSeconds: 30, restoreSeconds: 10 },
      600,
    ],
  ])('%s, is that of a simulated run', (_, costs, interval) => {
    const simulated = simulate(costs, interval, 40_000, 1);
    const expected = lostShare(costs, interval);
    expect(Math.abs(simulated - expected)).toBeLessThan(Math.max(0.002, 0.02 * expected));
  });

  it('is, where failures are rare, the cost of saves, half an interval for each failure, and the restore', () => {
    const costs = { meanTimeBetweenFailuresSeconds: 1e7, pauseSeconds: 1, saveSeconds: 10, restoreSeconds: 100 };
    const interval = 1000;
    const first = 1 / interval + (interval / 2 + 100 + 9) / 1e7;
    expect(lostShare(costs, interval)).toBeCloseTo(first, 6);
  });

  it('is all of it where nothing is ever published', () => {
    const costs = { meanTimeBetweenFailuresSeconds: 1, pauseSeconds: 1, saveSeconds: 5000, restoreSeconds: 1 };
    expect(lostShare(costs, 5000)).toBe(1);
  });
});

describe('meaning', () => {
  const input = {
    stateBytes: 1e9,
    ranks: 8,
    meanTimeBetweenFailuresSeconds: 3 * hour,
    pauseSeconds: 0.5,
    saveSeconds: 60,
    restoreSeconds: 40,
  };

  it('is told for both ways, with curves whose lowest point is the best interval', () => {
    const { losses, ...rest } = meaningOf(input);
    expect(rest).toEqual({
      stateBytes: 1e9,
      ranks: 8,
      meanTimeBetweenFailuresSeconds: 3 * hour,
      saveSeconds: 60,
      restoreSeconds: 40,
    });
    expect(losses.map(({ way, pauseSeconds }) => [way, pauseSeconds])).toEqual([
      ['blocking', 60],
      ['background', 0.5],
    ]);
    for (const { points, bestIntervalSeconds, lostShare: lost } of losses) {
      const intervals = points.map(({ intervalSeconds }) => intervalSeconds);
      expect(intervals).toEqual([...new Set(intervals)].sort((a, b) => a - b));
      expect(points.length).toBeGreaterThan(50);
      expect(intervals).toContain(bestIntervalSeconds);
      expect(Math.min(...points.map((point) => point.lostShare))).toBeGreaterThan(lost * 0.995);
      expect(points.every((point) => point.lostShare > 0 && point.lostShare <= 1)).toBe(true);
    }
    expect(losses[1]!.lostShare).toBeLessThan(losses[0]!.lostShare);
  });

  it('has no interval shorter than the save', () => {
    const { losses } = meaningOf({ ...input, pauseSeconds: 0 });
    expect(losses[1]!.bestIntervalSeconds).toBe(60);
    for (const { points } of losses) expect(points[0]!.intervalSeconds).toBeGreaterThanOrEqual(60);
  });

  it('has whole steps between saves, where the step is known, and no fewer than the save takes', () => {
    for (const stepSeconds of [0.9, 7, 500]) {
      const { losses, stepSeconds: told } = meaningOf({ ...input, stepSeconds });
      expect(told).toBe(stepSeconds);
      for (const { points, pauseSeconds, bestIntervalSeconds, lostShare: best } of losses) {
        for (const interval of [bestIntervalSeconds, ...points.map(({ intervalSeconds }) => intervalSeconds)]) {
          const steps = (interval - pauseSeconds) / stepSeconds;
          expect(Math.round(steps)).toBeGreaterThanOrEqual(1);
          expect(steps).toBeCloseTo(Math.round(steps), 6);
          expect(interval).toBeGreaterThanOrEqual(60);
        }
        const costs = { ...input, pauseSeconds };
        expect(best).toBeLessThanOrEqual(lostShare(costs, bestIntervalSeconds + stepSeconds));
      }
    }
  });

  it('takes a pause that was measured longer than the save for the whole save', () => {
    const { losses } = meaningOf({ ...input, pauseSeconds: 61 });
    expect(losses[1]!.pauseSeconds).toBe(60);
    expect(losses[1]!.lostShare).toBe(losses[0]!.lostShare);
  });

  it.each([
    ['meanTimeBetweenFailuresSeconds', 0],
    ['meanTimeBetweenFailuresSeconds', Infinity],
    ['saveSeconds', 0],
    ['stepSeconds', 0],
    ['pauseSeconds', -1],
    ['restoreSeconds', NaN],
  ])('is refused for a %s of %d', (name, value) => {
    const refused = { code: 'ERR_SNAPSHARD_INVALID_ARGUMENT', message: expect.stringContaining(name) as string };
    expect(() => meaningOf({ ...input, [name]: value })).toThrow(expect.objectContaining(refused) as Error);
  });
});
