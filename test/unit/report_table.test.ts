import { describe, expect, it } from 'vitest';
import { benchTable, tuneTable } from '../../lib/bench/report/index.js';
import { figuresByPhase } from '../../lib/bench/report/figures.js';
import { digits, rangeText, timeIn } from '../../lib/bench/report/units.js';
import type { BenchResult, Row, Sample } from '../../lib/bench/result.js';
import { makeBench } from '../support/bench_fixture.js';
import { makeTune } from '../support/tune_fixture.js';

const widest = (lines: readonly string[]): number => Math.max(...lines.map(({ length }) => length));

/** The words of the row, after its label. */
function cellsOf(lines: readonly string[], label: string): string[] {
  const line = lines.find((text) => text.slice(2).startsWith(`${label}  `));
  return line === undefined
    ? []
    : line
        .slice(2 + label.length)
        .trim()
        .split(/\s{2,}/);
}

const gigabyte = 1e9;

const sample = (round: number, seconds: number): Sample => ({
  round,
  startedAt: '',
  bytes: gigabyte,
  seconds,
  cpuSeconds: 1,
  ranks: [],
});

const row = (id: string, kind: Row['kind'], samples: Sample[]): Row => ({
  id,
  kind,
  phase: 'save',
  label: id,
  how: '',
  samples,
});

const withRows = (rows: Row[]): BenchResult => ({ ...makeBench({ rounds: 1 }), rows });

describe('the table of a run', () => {
  it.each([100, 80])('fits %i columns', (width) => {
    expect(widest(benchTable(makeBench(), width))).toBeLessThanOrEqual(width);
  });

  it.each([0.001, 0.03, 40, 900])('fits 100 columns at %f times the speed', (speed) => {
    expect(widest(benchTable(makeBench({ speed, bytesPerRank: 2 ** 28 }), 100))).toBeLessThanOrEqual(100);
  });

  it('has all columns at 100, and says of the ratio what it is over', () => {
    const lines = benchTable(makeBench(), 100);
    const head = lines.find((line) => line.includes('/limit'))!;
    expect(head.trim().split(/\s{2,}/)).toEqual([
      '5 rounds, rates in GB/s',
      'durable',
      'min..max',
      'written',
      'min..max',
      '/limit',
      'pause',
      'CPU',
      'memory',
    ]);
    expect(cellsOf(lines, 'snapshard')).toHaveLength(8);
    expect(lines.join(' ')).toContain('raw direct writes (save), raw direct reads (restore cold)');
  });

  it('marks ours, and nothing else', () => {
    const marked = benchTable(makeBench(), 100).filter((line) => line.startsWith('> '));
    expect(marked.map((line) => line.split(/\s+/)[1])).toEqual(['snapshard', 'snapshard', 'snapshard', 'snapshard']);
  });

  it('names each missing rival, with the line that installs it', () => {
    expect(benchTable(makeBench(), 100)).toContain(
      '- Orbax: orbax-checkpoint is not installed: pip install orbax-checkpoint',
    );
  });

  it('says what it means, and what was found', () => {
    const text = benchTable(makeBench(), 100).join('\n');
    expect(text).toMatch(/blocking +54 s +29\.4 min \(735 steps\) +6\.52 %/);
    expect(text).toMatch(/^3\. Save in the background/m);
    expect(text).toContain('in the page cache when it began: snapshard 0.020 %');
  });

  it('escapes what would steer the terminal', () => {
    const result = makeBench({ rounds: 1 });
    result.target.path = '/mnt/\u001b[2J';
    result.target.mountOptions = ['\u0007'];
    result.findings = ['\u001b]0;x'];
    result.rows[0]!.label = '\u001b[31mred';
    expect(
      benchTable(result, 100)
        .join('')
        .match(/[\u0000-\u001f]/g),
    ).toBeNull();
  });

  it('stands without rows, remarks, meaning and findings', () => {
    const { meaning: _, ...rest } = withRows([]);
    const empty: BenchResult = { ...rest, findings: [], target: { ...rest.target, remarks: [] } };
    expect(() => benchTable(empty, 100)).not.toThrow();
  });
});

describe('figures', () => {
  it('takes ratios within a round, and their median', () => {
    const limit = row('raw', 'limit', [sample(0, 1), sample(1, 2), sample(2, 4)]);
    const ours = row('snapshard', 'ours', [sample(0, 2), sample(1, 2), sample(2, 5), sample(3, 1)]);
    const [save] = figuresByPhase(withRows([ours, limit]));
    const figures = save!.rows.find((figure) => figure.row.id === 'snapshard')!;
    // 1/2, 1, 4/5; round 3 has no limit to compare with. The ratio of the medians would be 1/2 over 3/5.
    expect(figures.ratio).toEqual({ count: 3, median: 0.8, min: 0.5, max: 1 });
    expect(figures.durable!.median).toBeCloseTo(0.5);
  });

  it('has one limit for all rounds: the one with the highest median', () => {
    const steady = row('steady', 'limit', [sample(0, 1), sample(1, 1), sample(2, 1)]);
    const lucky = row('lucky', 'limit', [sample(0, 0.5), sample(1, 2), sample(2, 2)]);
    const [save] = figuresByPhase(withRows([lucky, steady]));
    expect(save!.limit!.id).toBe('steady');
    expect(save!.rows.map((figure) => figure.row.id)).toEqual(['steady', 'lucky']);
  });

  it('puts limits first, then ours, then rivals, the fastest first', () => {
    const rows = [
      row('slow', 'rival', [sample(0, 9)]),
      row('fast', 'rival', [sample(0, 1)]),
      row('we', 'ours', [sample(0, 5)]),
      row('raw', 'limit', [sample(0, 2)]),
    ];
    expect(figuresByPhase(withRows(rows))[0]!.rows.map((figure) => figure.row.id)).toEqual([
      'raw',
      'we',
      'fast',
      'slow',
    ]);
  });
});

describe('the table of a sweep', () => {
  it.each([100, 80])('fits %i columns, and marks what was chosen', (width) => {
    const lines = tuneTable(makeTune(), width);
    expect(widest(lines)).toBeLessThanOrEqual(width);
    expect(lines.filter((line) => line.startsWith('> ')).map((line) => line.slice(2, 10).trim())).toEqual([
      '8 MiB',
      '16',
      '2',
      'io_uring',
    ]);
    expect(lines).toContain('  blockBytes 8.00 MiB, queueDepth 16, threads 2, engine io_uring');
  });
});

describe('units', () => {
  it('prints three digits that count', () => {
    expect([0, 0.0431, 0.0999, 2.314, 9.999, 12.34, 99.96, 1234].map(digits)).toEqual([
      '0',
      '0.043',
      '0.10',
      '2.31',
      '10.0',
      '12.3',
      '100',
      '1234',
    ]);
  });

  it('prints times in the unit that fits', () => {
    expect([0, 0.00035, 0.0012, 0.42, 0.9999, 59.5, 60, 600, 3600, 8 * 3600, 3 * 86_400].map(timeIn)).toEqual([
      '0 s',
      '350 µs',
      '1.2 ms',
      '420 ms',
      '1 s',
      '59.5 s',
      '1 min',
      '10 min',
      '1 h',
      '8 h',
      '3 d',
    ]);
  });

  it('says the unit of a range once, and of both ends where they differ', () => {
    const range = (min: number, max: number): string => rangeText({ count: 2, median: min, min, max }, timeIn);
    expect([range(0.1, 0.2), range(0.5, 2)]).toEqual(['100..200 ms', '500 ms..2 s']);
  });
});
