import { describe, expect, it } from 'vitest';
import { compareFigure } from '../support/compared.js';
import { rankSumProbability } from '../../lib/bench/report/rank_sum.js';
import { compareTable } from '../../lib/bench/report/index.js';
import { makeBench } from '../support/bench_fixture.js';
import { randomOf } from '../support/trace_fixture.js';

/** Deals the values out in all ways: of the rank sums, the share as far from the mean as the one that came. */
function byHand(left: readonly number[], right: readonly number[]): number {
  const values = [...left, ...right];
  const rank = (value: number): number =>
    values.filter((other) => other < value).length + (values.filter((other) => other === value).length + 1) / 2;
  const ranks = values.map(rank);
  const sums: number[] = [];
  const deal = (from: number, chosen: number, sum: number): void => {
    if (chosen === left.length) sums.push(sum);
    else for (let next = from; next < ranks.length; next++) deal(next + 1, chosen + 1, sum + ranks[next]!);
  };
  deal(0, 0, 0);
  const mean = (left.length * (values.length + 1)) / 2;
  const came = ranks.slice(0, left.length).reduce((sum, value) => sum + value, 0);
  return sums.filter((sum) => Math.abs(sum - mean) >= Math.abs(came - mean) - 1e-9).length / sums.length;
}

/** Two samples of which `u` of all pairs have the right one below the left one. */
function withU(size: number, u: number): [number[], number[]] {
  const right = Array.from({ length: size }, (_, index) => index * 10);
  const left = Array.from({ length: size }, () => -5);
  for (let index = 0, rest = u; rest > 0; index++) {
    const below = Math.min(rest, size);
    left[index] = below * 10 - 5;
    rest -= below;
  }
  return [left.map((value, index) => value + index / 100), right];
}

describe('the rank-sum test', () => {
  it('agrees with all ways to deal the values out, ties included', () => {
    const random = randomOf(3);
    const draw = (count: number, kinds: number): number[] =>
      Array.from({ length: count }, () => Math.floor(random() * kinds));
    for (let trial = 0; trial < 60; trial++) {
      const kinds = trial % 2 === 0 ? 4 : 1000;
      const [left, right] = [draw(1 + (trial % 6), kinds), draw(1 + (trial % 5), kinds)];
      expect(rankSumProbability(left, right)).toBeCloseTo(byHand(left, right), 12);
    }
  });

  // Largest U that is significant at 0.05, two-sided: Mann and Whitney's table, as statistics books print it.
  it.each([
    [4, 0],
    [5, 2],
    [6, 5],
    [8, 13],
    [10, 23],
    [12, 37],
    [15, 64],
    [20, 127],
  ])('has the critical value of the tables for %i and as many', (size, critical) => {
    expect(rankSumProbability(...withU(size, critical))).toBeLessThanOrEqual(0.05);
    expect(rankSumProbability(...withU(size, critical + 1))).toBeGreaterThan(0.05);
  });

  it('goes on where the exact one ends', () => {
    const random = randomOf(5);
    const left = Array.from({ length: 26 }, random);
    const right = Array.from({ length: 24 }, () => random() + 0.12);
    const exact = rankSumProbability(left, right);
    const approximate = rankSumProbability([...left, 0.5], [...right, 0.5]);
    expect(Math.abs(exact - approximate)).toBeLessThan(0.03);
    expect(exact).toBeGreaterThan(0.001);
  });

  it('never tells three from three apart, nor equal values, nor nothing', () => {
    expect(rankSumProbability([1, 2, 3], [4, 5, 6])).toBeCloseTo(0.1);
    expect(rankSumProbability([1, 1, 1, 1, 1], [1, 1, 1, 1, 1])).toBe(1);
    expect(rankSumProbability([], [1])).toBe(1);
  });
});

describe('two runs side by side', () => {
  it('marks nothing in a run against itself', () => {
    const lines = compareTable(makeBench(), makeBench(), 100);
    expect(lines).toContain('No condition differs.');
    expect(lines.filter((line) => /(better|worse|\?)$/.test(line))).toEqual([]);
  });

  it('marks what is twice as fast, and its pause', () => {
    const [left, right] = [makeBench(), makeBench({ speed: 2 })];
    const figures = compareFigure(left, right, 'save', 'snapshard');
    expect(figures.map(({ name, verdict }) => [name, verdict])).toEqual([
      ['durable GB/s', 'better'],
      ['over the limit', 'better'],
      ['pause', 'better'],
      ['CPU s/GiB', undefined],
      ['memory', undefined],
    ]);
    expect(compareFigure(right, left, 'save', 'snapshard')[0]!.verdict).toBe('worse');
    expect(compareFigure(left, right, 'save', 'torch.save')[0]!.verdict).toBeUndefined();
  });

  it('says of few rounds that they are too few', () => {
    const [left, right] = [makeBench({ rounds: 3 }), makeBench({ rounds: 3, speed: 3 })];
    expect(compareFigure(left, right, 'verify', 'snapshard')[0]).toMatchObject({ verdict: undefined, tooFew: true });
    expect(compareTable(left, right, 100).some((line) => /\+\d+ %  \?$/.test(line))).toBe(true);
  });

  it('marks no more than chance does, where nothing differs', () => {
    const figures = Array.from({ length: 40 }, (_, seed) =>
      compareFigure(
        makeBench({ seed, bytesPerRank: 2 ** 26 }),
        makeBench({ seed: seed + 100, bytesPerRank: 2 ** 26 }),
        'save',
        'torch.save',
      ),
    ).flat();
    const marked = figures.filter(({ verdict }) => verdict !== undefined).length;
    expect(figures.length).toBe(160);
    expect(marked).toBeLessThan(20);
  });

  it('names first what differs, and only that', () => {
    const right = makeBench();
    right.machine.kernel = '7.1.0';
    right.versions.kernel = '7.1.0';
    right.versions.torch = '2.14.0';
    right.target.mountOptions = ['rw', 'relatime', 'data=journal', 'errors=remount-ro'];
    right.settings.writer.queueDepth = 32;
    const lines = compareTable(makeBench(), right, 100);
    const from = lines.indexOf('What differs');
    expect(lines.slice(from + 1, from + 9)).toEqual([
      'kernel            A  6.18.0',
      '                  B  7.1.0',
      'version of torch  A  2.13.0',
      '                  B  2.14.0',
      'queueDepth        A  16',
      '                  B  32',
      'mount options     A  discard',
      '                  B  data=journal',
    ]);
    expect(lines.findIndex((line) => line.includes('B to A'))).toBeGreaterThan(from);
  });

  it('says that unlike workloads do not compare', () => {
    const other = makeBench({ bytesPerRank: 2 ** 28 });
    expect(compareTable(makeBench(), other, 100).join('\n')).toContain(
      'The workloads differ: these figures do not compare',
    );
    expect(compareTable(makeBench(), makeBench({ seed: 9 }), 100).join('\n')).not.toContain('do not compare');
  });

  it('names the rows that only one has', () => {
    const right = makeBench();
    right.rows = right.rows.filter(({ id }) => id !== 'torch.save');
    expect(compareTable(makeBench(), right, 100)).toContain('- only in A: save, torch.save');
  });

  it.each([100, 80])('fits %i columns', (width) => {
    const lines = compareTable(makeBench(), makeBench({ seed: 8 }), width);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(width);
  });
});
