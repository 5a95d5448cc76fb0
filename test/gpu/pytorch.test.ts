import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { Published } from 'snapshard';
import { onDouble, python, tellSkipped, torchDevice, torchReason, trainers } from './gpu.js';
import { supervise } from '../../examples/pytorch/supervise.js';
import { inventory } from '../interop/oracle.js';
import { useRoot } from '../support/root.js';

tellSkipped('PyTorch on a GPU', torchReason);

// A trainer in another process, killed, restored, refused, as it is tested on the CPU elsewhere.
if (torchReason === '' && !onDouble) await import('../interop/pytorch_trainer.test.js');

const root = useRoot();
const count = onDouble ? 500 : 100_000;

interface Told {
  digests: Record<string, string>[];
  restored?: boolean;
  step?: number;
}

async function run(mode: string, deviceSnapshot: boolean, more: string[] = []): Promise<[Told, Published[]]> {
  const told = join(root.path, 'told.json');
  const published: Published[] = [];
  await supervise({
    root: root.path,
    command: [python, trainers, mode, torchDevice, told, ...more],
    restarts: 0,
    deviceSnapshot,
    print: console.log,
    onPublished: (one) => published.push(one),
  });
  return [JSON.parse(readFileSync(told, 'utf8')) as Told, published.sort((a, b) => a.step - b.step)];
}

/** By tensor: its SHA-256, as Python's safetensors reads it. */
async function digestsOf(published: readonly Published[]): Promise<Record<string, string>[]> {
  const folders = await inventory(published.map(({ path }) => path));
  return folders.map((shards) => {
    const tensors = Object.values(shards).flatMap((shard) => Object.entries(shard.tensors));
    return Object.fromEntries(tensors.map(([name, { sha256 }]) => [name, sha256]));
  });
}

const snapshots = onDouble ? [false] : [false, true];

describe.skipIf(torchReason !== '').each(snapshots)("PyTorch's tensors, with a snapshot: %s,", (deviceSnapshot) => {
  it.each([
    ['of every dtype', 'dtypes', []],
    [`${count} of 4 KiB`, 'many', [`${count}`]],
  ])('%s: saved though overwritten at once, read by safetensors, and restored', async (_, mode, more) => {
    const [{ digests, restored, step }, published] = await run(mode, deviceSnapshot, more);
    const found = await digestsOf(published);
    expect(found).toHaveLength(4);
    found.forEach((tensors, index) => {
      expect(tensors).toEqual(digests[index]);
    });
    expect({ restored, step }).toEqual({ restored: true, step: 3 });
    const told = published.map((one) => ({ taken: one.deviceSnapshot, reason: one.deviceReason }));
    expect(told).toEqual(published.map(() => ({ taken: deviceSnapshot, reason: '' })));
  });

  it('of a model and its optimizer in training: each save is of its own step', async () => {
    const [{ digests }, published] = await run('trained', deviceSnapshot);
    expect(Object.keys(digests[0]!)).toEqual(expect.arrayContaining(['0.weight', '2.bias.exp_avg_sq']));
    expect(await digestsOf(published)).toEqual(digests);
  });
});

describe.skipIf(torchReason !== '' || onDouble)("PyTorch's expandable segments", () => {
  it('are refused, with what to do', async () => {
    vi.stubEnv('PYTORCH_CUDA_ALLOC_CONF', 'expandable_segments:True');
    try {
      await expect(run('dtypes', false)).rejects.toThrow(/expandable_segments:False/);
    } finally {
      vi.unstubAllEnvs();
    }
  });
});
