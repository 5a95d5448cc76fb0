import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readBench, rowOf, smallRun } from '../support/bench.js';
import { plainTensor, saveSolo, snapshard } from '../support/cli.js';
import { namesIn, useRoot } from '../support/root.js';

const root = useRoot();
const MiB = 2 ** 20;

function target(): { folder: string; json: string } {
  const folder = join(root.path, 'target');
  mkdirSync(folder, { recursive: true });
  return { folder, json: join(root.path, 'result.json') };
}

describe('snapshard bench', () => {
  it('measures all phases, prints a table, writes a valid result and leaves nothing', async () => {
    const { folder, json } = target();
    const words = ['--rivals', 'node-writefile,node-stream', '--yes', '--json', json, '--trace', join(root.path, 'trace.json')];
    const { code, stdout, stderr } = await snapshard('bench', folder, ...smallRun, '--mtbf', '6h', ...words);
    expect(stderr).toMatch(/^writes \d+.* in all to /m);
    expect(stderr).toMatch(/^round 1\/1 save: snapshard: [\d.]+ GB\/s \(\d+ %, .* left\)$/m);
    expect(code, stderr).toBe(0);
    expect(namesIn(folder)).toEqual([]);
    expect(stdout).toMatch(/^> snapshard +\d/m);
    expect(stdout).toMatch(/^Findings$/m);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
    expect(existsSync(join(root.path, 'trace.json'))).toBe(true);

    const result = readBench(json);
    const measured = result.rows.filter(({ missing }) => missing === undefined).map(({ phase, id }) => `${phase}: ${id}`);
    expect(measured).toEqual(
      expect.arrayContaining([
        ...['snapshard', 'raw', 'node-writefile', 'node-stream'].map((id) => `save: ${id}`),
        ...['verify', 'restore cold', 'restore warm'].map((phase) => `${phase}: snapshard`),
        'restore cold: raw',
        'copy: memcpy-1',
      ]),
    );
    for (const row of result.rows) {
      if (row.missing !== undefined) expect(row.missing).toMatch(/fio is not installed: /);
      else expect(row.samples.map(({ round }) => round)).toEqual([0]);
    }
    const [save] = rowOf(result, 'save').samples;
    const { bytes, seconds, writtenSeconds, pauseSeconds, peakBytes, cpuSeconds, ranks } = save!;
    expect(bytes).toBeGreaterThanOrEqual(result.workload.bytes);
    expect(bytes).toBeLessThan(result.workload.bytes + 64 * 1024);
    expect(writtenSeconds).toBeLessThanOrEqual(seconds);
    expect(pauseSeconds).toBeLessThanOrEqual(seconds);
    expect(peakBytes).toBeGreaterThan(MiB);
    expect(peakBytes).toBeLessThan(16 * MiB + 64 * MiB);
    expect(cpuSeconds).toBeGreaterThan(0);
    expect(ranks).toHaveLength(1);
    expect(ranks[0]!.trace!.bytes.reduce((sum, part) => sum + part, 0)).toBe(bytes);
    expect(result.meaning?.losses.map(({ way }) => way)).toEqual(['blocking', 'background']);
    expect(result.settings.writer).toMatchObject({ stagingBytes: 16 * MiB, queueDepth: 16, direct: true });
    for (const row of result.rows.filter(({ kind }) => kind === 'rival')) {
      expect(row.samples[0]!.bytes).toBeGreaterThanOrEqual(result.workload.bytes);
    }

    const compared = await snapshard('bench', '--compare', json, json);
    expect(compared.code).toBe(0);
    expect(compared.stdout).toMatch(/No condition differs/);
  });

  it('shows that cold is cold and warm is warm', async () => {
    const { folder, json } = target();
    const { code, stderr } = await snapshard('bench', folder, ...smallRun, '--restore-only', '--no-direct', '--yes', '--json', json);
    expect(code, stderr).toBe(0);
    const result = readBench(json);
    expect(result.rows.filter(({ phase }) => phase === 'save')).toEqual([]);
    const [cold] = rowOf(result, 'restore cold').samples;
    const [warm] = rowOf(result, 'restore warm').samples;
    expect(rowOf(result, 'restore cold').how).toMatch(/direct no .*page cache dropped$/);
    expect(cold!.bytes).toBe(result.workload.bytes);
    expect(cold!.cachedBytes).toBe(0);
    expect(warm!.cachedBytes).toBeGreaterThanOrEqual(result.workload.bytes);
    expect(namesIn(folder)).toEqual([]);
  });

  it('runs ranks together, which save one checkpoint, and keeps what each did', async () => {
    const { folder, json } = target();
    const words = ['--ranks', '2', '--rivals', 'node-writefile', '--yes', '--json', json];
    const { code, stderr } = await snapshard('bench', folder, ...smallRun, ...words);
    expect(code, stderr).toBe(0);
    const result = readBench(json);
    expect(result.workload.ranks).toBe(2);
    for (const [phase, id] of [['save'], ['restore cold'], ['save', 'raw'], ['save', 'node-writefile']] as const) {
      const [sample] = rowOf(result, phase, id).samples;
      expect(sample!.ranks).toHaveLength(2);
      expect(sample!.seconds).toBe(Math.max(...sample!.ranks.map(({ seconds }) => seconds)));
      expect(sample!.bytes).toBe(sample!.ranks.reduce((sum, { bytes }) => sum + bytes, 0));
    }
    expect(rowOf(result, 'save').samples[0]!.bytes).toBeGreaterThan(15 * MiB);
    const sample = rowOf(result, 'save').samples[0]!;
    const [one, other] = sample.ranks.map(({ trace }) => trace!.startedAt_ms);
    // One clock for all, on which who comes first waits for the other.
    expect(Math.abs(one! - other!)).toBeLessThan(1000 * sample.seconds + 1000);
  });

  it('saves on a schedule, and keeps every save', async () => {
    const { folder, json } = target();
    const words = ['--save-only', '--no-limits', '--rivals', 'none', '--interval', '300ms', '--repeat', '4', '--yes', '--json', json];
    const { code, stderr } = await snapshard('bench', folder, ...smallRun, ...words);
    expect(code, stderr).toBe(0);
    const result = readBench(json);
    expect(result.rows.map(({ id, phase }) => `${phase}: ${id}`)).toEqual(['save: snapshard', 'save: snapshard-scheduled']);
    const { samples } = rowOf(result, 'save', 'snapshard-scheduled');
    const starts = samples.map(({ startedAt }) => Date.parse(startedAt));
    expect(samples.map(({ round }) => round)).toEqual([4, 5, 6, 7]);
    // Of 900 ms, less what the first was late; with no interval, it would be no more than the saves take.
    expect(starts[3]! - starts[0]!).toBeGreaterThanOrEqual(450);
    expect(result.settings.intervalSeconds).toBe(0.3);
  });

  it('takes the shapes of a checkpoint', async () => {
    const { folder, json } = target();
    const tensors = { 'layers.0.weight': plainTensor('BF16', [512, 1024]), 'layers.1.weight': plainTensor('F32', [256, 1024]) };
    const like = await saveSolo(join(root.path), { step: 1, tensors });
    const words = ['--like', like, '--repeat', '1', '--warmup', '0', '--rest', '0', '--staging', '16MiB'];
    const { code, stderr } = await snapshard('bench', folder, ...words, '--save-only', '--no-limits', '--rivals', 'none', '--yes', '--json', json);
    expect(code, stderr).toBe(0);
    expect(readBench(json).workload).toMatchObject({ tensors: 2, bytes: 2 * MiB });
  });

  it('names what is missing, with the line that installs it', async () => {
    const { folder, json } = target();
    const words = ['--save-only', '--no-limits', '--rivals', 'torch.save,orbax', '--python', join(root.path, 'no-python')];
    const { code, stdout, stderr } = await snapshard('bench', folder, ...smallRun, ...words, '--yes', '--json', json);
    expect(code, stderr).toBe(0);
    for (const id of ['torch.save', 'orbax']) {
      const { missing, samples } = rowOf(readBench(json), 'save', id);
      expect(missing).toMatch(/no-python is not there: apt-get install /);
      expect(samples).toEqual([]);
    }
    expect(stdout).toMatch(/^Not measured$/m);
  });
});
