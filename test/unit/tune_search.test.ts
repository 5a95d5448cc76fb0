import { describe, expect, it } from 'vitest';
import { contenders } from '../../lib/bench/tune_decide.js';
import { Noise, type Cells } from '../../lib/bench/tune_noise.js';
import { MeasuredPoint, type Writer } from '../../lib/bench/tune_points.js';
import { trialsMost, type SearchResult } from '../../lib/bench/tune_search.js';
import { shuffled } from '../../lib/bench/tune_shuffle.js';
import { blocks, depths, random, threads, tuneDisk, ways, type Disk } from './tune_disk.js';

const MiB = 2 ** 20;
const seeds = Array.from({ length: 40 }, (_, seed) => seed);
const block = (writer: Writer): number => (writer.blockBytes ?? 4 * MiB) / MiB;
const depth = (writer: Writer): number => writer.queueDepth ?? 16;

const tuneAll = (disk: Disk): Promise<SearchResult[]> => Promise.all(seeds.map((seed) => tuneDisk(disk, seed)));
const share = (results: readonly SearchResult[], holds: (writer: Writer) => boolean): number =>
  results.filter(({ chosen }) => holds(chosen)).length / results.length;
const isDefault = (writer: Writer): boolean => Object.keys(writer).length === 0;

describe('the choice on a noisy disk', () => {
  it.each([0.01, 0.05, 0.2, 0.5])('is the defaults where nothing matters, with a noise of %f', async (noise) => {
    expect(share(await tuneAll({ rate: () => 1, noise }), isDefault)).toBeGreaterThanOrEqual(0.95);
  });

  it('is the defaults where the disk grows slower all the time, and where it stalls', async () => {
    expect(share(await tuneAll({ rate: () => 1, noise: 0.05, drift: 1.01 }), isDefault)).toBeGreaterThanOrEqual(0.95);
    expect(share(await tuneAll({ rate: () => 1, noise: 0.05, stallOneOf: 12 }), isDefault)).toBeGreaterThanOrEqual(0.95);
  });

  it('is the knee of a curve, not the best of its flat part', async () => {
    const results = await tuneAll({ rate: (writer) => Math.min(1, block(writer) / 16), noise: 0.1 });
    expect(share(results, (writer) => block(writer) >= 16)).toBe(1);
    expect(share(results, (writer) => block(writer) === 16)).toBeGreaterThan(0.5);
    expect(share(results, (writer) => Object.keys(writer).join() === 'blockBytes')).toBeGreaterThanOrEqual(0.95);
  });

  it('is above a cliff, also with stalls', async () => {
    const rate = (writer: Writer): number => (block(writer) < 8 ? 0.4 : 1);
    expect(share(await tuneAll({ rate, noise: 0.1, stallOneOf: 20 }), (writer) => block(writer) >= 8)).toBeGreaterThan(0.9);
  });

  it('holds two options where each adds to the other, and one where either suffices', async () => {
    const each = (writer: Writer): number => Math.min(1, block(writer) / 16) * Math.min(1, depth(writer) / 64);
    const both = await tuneAll({ rate: each, noise: 0.08 });
    expect(share(both, (writer) => block(writer) >= 16 && depth(writer) === 64)).toBeGreaterThan(0.95);
    const either = await tuneAll({ rate: (writer) => Math.min(1, (block(writer) * depth(writer)) / 256), noise: 0.08 });
    expect(share(either, (writer) => Object.keys(writer).length === 1)).toBeGreaterThan(0.95);
  });

  it('goes on from another way to write', async () => {
    const rate = (writer: Writer): number => (writer.direct === false ? Math.min(1, block(writer) / 32) : 0.05);
    const results = await tuneAll({ rate, noise: 0.05 });
    expect(share(results, (writer) => writer.direct === false && block(writer) >= 32)).toBeGreaterThan(0.95);
  });

  it('saves processor time where the rate is the same, unless the pause pays for it', async () => {
    const cpu = ({ threads: count }: Writer): number => (count === 1 ? 0.5 : 1);
    const disk: Disk = { rate: () => 1, cpu, noise: 0.02 };
    expect(share(await tuneAll(disk), ({ threads: count }) => count === 1)).toBeGreaterThan(0.7);
    const dear: Disk = { ...disk, pause: ({ threads: count }) => (count === 1 ? 0.3 : 0.1) };
    expect(share(await tuneAll(dear), isDefault)).toBeGreaterThanOrEqual(0.95);
  });

  it('is never 10 % worse than the defaults, whatever the disk', async () => {
    let changed = 0;
    for (const seed of Array.from({ length: 150 }, (_, index) => index)) {
      const next = random(seed + 1000);
      const factors = new Map<string, number>();
      const factor = (key: string): number => {
        if (!factors.has(key)) factors.set(key, Math.exp((next() - 0.5) * next()));
        return factors.get(key)!;
      };
      const rate = (writer: Writer): number =>
        Object.entries(writer).reduce((product, [name, value]) => product * factor(`${name} ${String(value)}`), 1);
      const { chosen } = await tuneDisk({ rate, noise: 0.15, stallOneOf: 30 }, seed);
      expect(rate(chosen), `seed ${seed}: ${JSON.stringify(chosen)}`).toBeGreaterThan(0.9);
      if (!isDefault(chosen)) changed++;
    }
    expect(changed).toBeGreaterThan(20);
  });
});

describe('what is measured', () => {
  it('has the defaults in every round, and is confirmed in rounds of its own', async () => {
    const { points, confirmation } = await tuneDisk({ rate: (writer) => block(writer), noise: 0.05 }, 1);
    const rounds = new Set(points.flatMap(({ samples }) => samples.map(({ round }) => round)));
    const ofDefaults = (axis: string): number[] =>
      points.filter((point) => point.axis === axis && isDefault(point.writer)).flatMap(({ samples }) => samples.map(({ round }) => round));
    expect(new Set([...ofDefaults('defaults'), ...ofDefaults('confirmation')])).toEqual(rounds);
    const fresh = confirmation!.candidate.samples.map(({ round }) => round);
    expect(fresh).toHaveLength(5);
    const others = points.filter(({ axis }) => !['confirmation', 'defaults'].includes(axis)).flatMap(({ samples }) => samples.map(({ round }) => round));
    expect(others.some((round) => fresh.includes(round))).toBe(false);
  });

  it('is never more than was announced, and less where points have lost', async () => {
    const axes = [ways, blocks, depths, threads];
    const count = async (rate: Disk['rate']): Promise<number> => {
      let trials = 0;
      const disk: Disk = { rate: (writer) => (trials++, rate(writer)), noise: 0.02 };
      await tuneDisk(disk, 3, { axes });
      return trials;
    };
    const most = trialsMost(axes, 5);
    expect(await count(() => 1)).toBeLessThanOrEqual(most);
    expect(await count((writer) => block(writer) * depth(writer))).toBeLessThan(most * 0.9);
  });

  it('ends in time: what does not fit is skipped, and what was begun is confirmed', async () => {
    let now_ms = 0;
    const rate = (writer: Writer): number => ((now_ms += 1000), Math.min(1, block(writer) / 16));
    const clock = { limitSeconds: 60, now_ms: () => now_ms };
    const { chosen, outcomes, skipped } = await tuneDisk({ rate, noise: 0.03 }, 5, clock);
    expect(outcomes.map(({ axis }) => axis)).toEqual(['engine', 'blockBytes']);
    expect(skipped).toEqual(['queueDepth', 'threads']);
    expect(block(chosen)).toBeGreaterThanOrEqual(16);
    expect(now_ms).toBeLessThanOrEqual(60_000);
  });

  it('is given up where the disk becomes far slower than it was, with nothing chosen', async () => {
    let [now_ms, trials] = [0, 0];
    const rate = (writer: Writer): number => ((now_ms += ++trials > 30 ? 100_000 : 1000), block(writer));
    const { chosen } = await tuneDisk({ rate, noise: 0.03 }, 5, { limitSeconds: 100, now_ms: () => now_ms });
    expect(chosen).toEqual({});
    expect(trials).toBeLessThan(35);
  });
});

describe('the noise', () => {
  const cells = (values: readonly number[]): Cells => new Map(values.entries());

  it('is that of one trial, whatever points and rounds add, and does not mind an outlier', () => {
    const next = random(1);
    const normal = (): number => Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next());
    const rounds = Array.from({ length: 10 }, () => 3 * normal());
    const points = Array.from({ length: 8 }, (_, point) => rounds.map((round) => point + round + 0.1 * normal()));
    const noise = new Noise();
    noise.add(points.map(cells));
    expect(noise.deviation).toBeGreaterThan(0.08);
    expect(noise.deviation).toBeLessThan(0.12);
    points[3]![4]! += 100;
    const after = new Noise();
    after.add(points.map(cells));
    expect(after.deviation / noise.deviation).toBeLessThan(1.15);
    expect(noise.difference(cells(points[5]!), cells(points[2]!)).value).toBeCloseTo(3, 0);
  });

  it('leaves every difference open while nothing is known', () => {
    const { value, margin } = new Noise().difference(cells([1, 1, 1]), cells([0, 0, 0]));
    expect(value).toBe(1);
    expect(margin).toBe(Infinity);
  });
});

describe('contenders', () => {
  it('lose nobody who may still win, and keep whom they must', () => {
    const point = (label: string, rates: readonly number[]): MeasuredPoint => {
      const made = new MeasuredPoint('axis', label, {});
      for (const [round, rate] of rates.entries()) {
        made.samples.push({ round, bytes: 1e9, seconds: 1 / rate, pauseSeconds: 1, cpuSeconds: 1 });
      }
      return made;
    };
    const points = [point('best', [2, 2.1, 2.05]), point('near', [1.9, 2, 2.1]), point('far', [0.5, 0.6, 0.52]), point('kept', [0.5, 0.5, 0.6])];
    const noise = new Noise();
    noise.add(points.map(({ rate }) => rate));
    expect(contenders(points, [points[3]!], { rate: noise, cpu: noise, pause: noise }).map(({ label }) => label)).toEqual(['best', 'near', 'kept']);
  });
});

describe('shuffled', () => {
  it('has all items, in an order that the seed decides', () => {
    const items = [1, 2, 3, 4, 5, 6, 7];
    expect(shuffled(items, 1)).toEqual(shuffled(items, 1));
    expect(new Set(seeds.map((seed) => shuffled(items, seed).join())).size).toBeGreaterThan(30);
    expect(shuffled(items, 2).toSorted()).toEqual(items);
    expect(shuffled([], 1)).toEqual([]);
  });
});
