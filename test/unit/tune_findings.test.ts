import { describe, expect, it } from 'vitest';
import { tuneFindings } from '../../lib/bench/tune_findings.js';
import { withCandidate, type Writer } from '../../lib/bench/tune_points.js';
import { axesOf, axisNames, writerCode, type Space } from '../../lib/bench/tune_space.js';
import { tuneDisk, type Disk } from './tune_disk.js';

const MiB = 2 ** 20;
const block = (writer: Writer): number => (writer.blockBytes ?? 4 * MiB) / MiB;

async function findingsOf(disk: Disk, settings: Parameters<typeof tuneDisk>[2] = {}): Promise<string[]> {
  return tuneFindings(await tuneDisk(disk, 7, settings), 5);
}

describe('findings of a search', () => {
  it('say that the defaults are right where nothing is better, and how much was noise', async () => {
    const [verdict, flat, noise, ...more] = await findingsOf({ rate: () => 1, noise: 0.05 });
    expect(verdict).toBe('The defaults are right here: nothing that was tried is better by more than the noise.');
    expect(flat).toBe('No value differs by more than the noise from what stays: engine (io_uring), blockBytes (4 MiB), queueDepth (16), threads (2).');
    expect(noise).toMatch(/^Noise: one save differs from the next by [3-8]\.\d %, so that with 5 rounds a value must be 1\.[01]\d times as fast to count\./);
    expect(more).toEqual([]);
  });

  it('name what to use, what it gains, what it costs, and what is slower', async () => {
    const [verdict, cost, axis] = await findingsOf({ rate: (writer) => Math.min(1, block(writer) / 16), noise: 0.02 });
    expect(verdict).toMatch(/^With \{ blockBytes: \d+ \} a save is (3\.[89]|4\.[012])\d times as fast as with the defaults: 1\.\d+ against 0\.2\d+ GB\/s, medians of 5 fresh rounds\.$/);
    expect(cost).toMatch(/^There, its pause is \d+(\.\d+)? ms against \d+(\.\d+)?, and it takes 0\.9\d*|1\.\d+ processor seconds per GiB against/);
    expect(axis).toMatch(/^blockBytes: in its rounds (16|32|64) MiB was .* times as fast as 4 MiB; .* Slower: 1 MiB \(0\.\d\d x\), 2 MiB \(0\.\d\d x\), 8 MiB/);
  });

  it('tell processor time that is saved', async () => {
    const cpu = ({ threads }: Writer): number => (threads === 1 ? 0.5 : 1);
    const [verdict] = await findingsOf({ rate: () => 1, cpu, noise: 0.01 });
    expect(verdict).toMatch(/^With \{ threads: 1 \} a save is as fast as with the defaults, and takes (49|50|51) % less processor time: /);
  });

  it('tell what there was no time for', async () => {
    let now_ms = 0;
    const rate = (): number => ((now_ms += 1000), 1);
    const clock = { limitSeconds: 60, now_ms: () => now_ms };
    const findings = await findingsOf({ rate, noise: 0.03 }, clock);
    expect(findings[0]).toContain('nothing of what was measured');
    expect(findings.at(-1)).toBe('Not measured, since the time was up: queueDepth, threads. --within allows more time.');
    now_ms = 0;
    const nothing = await findingsOf({ rate, noise: 0.03 }, { ...clock, limitSeconds: 0, now_ms: () => (now_ms += 1000) });
    expect(nothing[0]).toMatch(/^Nothing was measured in the time allowed: give more of it \(--within\), or fewer --bytes\./);
  });
});

describe('findings where an axis has but one value', () => {
  it('name it, and say so where nothing is left', async () => {
    const found = await tuneDisk({ rate: () => 1, noise: 0.05 }, 7);
    expect(tuneFindings(found, 5, ['shardBytes']).at(-1)).toBe('Not varied, since one value alone makes sense here: shardBytes.');
    const nothing = await tuneDisk({ rate: () => 1, noise: 0.05 }, 7, { axes: [] });
    expect(tuneFindings(nothing, 5, ['engine'])).toEqual(['There is nothing to vary here: the defaults are right.', 'Not varied, since one value alone makes sense here: engine.']);
  });
});

describe('the values to try', () => {
  const space: Space = { stagingBytes: 1024 * MiB, cores: 8, rankBytes: 1024 * MiB, tensorBytes: 20 * MiB, engine: 'io_uring', direct: true };
  const labels = (changed: Partial<Space>): Record<string, string[]> =>
    Object.fromEntries(axesOf(axisNames, { ...space, ...changed }).map(({ name, candidates }) => [name, candidates.map(({ label }) => label)]));

  it('are those that make sense with the memory, the cores, the workload and the target', () => {
    expect(labels({})).toEqual({
      engine: ['io_uring, direct', 'pwrite, direct', 'page cache'],
      blockBytes: ['1 MiB', '2 MiB', '4 MiB', '8 MiB', '16 MiB', '32 MiB', '64 MiB'],
      queueDepth: ['2', '4', '8', '16', '32', '64'],
      threads: ['1', '2', '4', '8'],
      shardBytes: ['one file a group', 'files of 256 MiB', 'files of 64 MiB'],
    });
    expect(labels({ cores: 1 }).threads).toEqual(['1', '2']);
    expect(labels({ stagingBytes: 32 * MiB }).blockBytes?.at(-1)).toBe('16 MiB');
    expect(labels({ rankBytes: 8 * MiB }).blockBytes).toEqual(['1 MiB', '2 MiB', '4 MiB']);
    expect(labels({ tensorBytes: 100 * MiB }).shardBytes).toEqual(['one file a group', 'files of 256 MiB', 'files of 100 MiB']);
    expect(labels({ tensorBytes: 500 * MiB }).shardBytes).toEqual(['one file a group', 'files of 500 MiB']);
    expect(labels({ tensorBytes: 600 * MiB }).shardBytes).toBeUndefined();
    expect(labels({ engine: 'pwrite' }).engine).toEqual(['pwrite, direct', 'page cache']);
    expect(labels({ engine: 'pwrite', direct: false }).engine).toBeUndefined();
  });

  it('hold the defaults on each axis, once, and change nothing but their own', () => {
    for (const { candidates } of axesOf(axisNames, space)) {
      const writers = candidates.map((candidate) => withCandidate({}, candidate));
      expect(writers.filter((writer) => Object.keys(writer).length === 0)).toHaveLength(1);
      expect(writers.every((writer) => Object.keys(writer).length <= 1)).toBe(true);
    }
  });

  it('are taken alone where some are named, in an order of our own', () => {
    expect(axesOf(['threads', 'blockBytes'], space).map(({ name }) => name)).toEqual(['blockBytes', 'threads']);
  });

  it('are shown as code', () => {
    expect(writerCode({ blockBytes: 16 * MiB, engine: 'pwrite', direct: false })).toBe("{ blockBytes: 16777216, engine: 'pwrite', direct: false }");
  });
});
