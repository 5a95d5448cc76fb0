import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CheckpointWriter } from '../../lib/index.js';
import { fillTensor } from '../../lib/bench/data.js';
import { specLike } from '../../lib/bench/like.js';
import { describeWorkload, workloadTensors, type WorkloadSpec, type WorkloadTensor } from '../../lib/bench/workload.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { shard } from '../support/foreign_shard.js';
import { useRoot } from '../support/root.js';

const root = useRoot();

const tensors: WorkloadTensor[] = [
  { name: 'layers.0.w', dtype: 'BF16', shape: [64, 32], group: 'model', bytes: 4096 },
  { name: 'layers.1.w', dtype: 'BF16', shape: [64, 32], group: 'model', bytes: 4096 },
  { name: 'step', dtype: 'I64', shape: [], group: 'optimizer', bytes: 8 },
  { name: 'layers.0.w.exp_avg', dtype: 'F32', shape: [64, 32], group: 'optimizer', bytes: 8192 },
];

function drawn(list: readonly WorkloadTensor[]): Map<string, Tensor> {
  return new Map(
    list.map((tensor) => {
      const data = new Uint8Array(tensor.bytes);
      fillTensor(tensor, data, 1);
      return [tensor.name, { dtype: tensor.dtype, shape: tensor.shape, group: tensor.group, data }];
    }),
  );
}

async function save(path: string, steps: Record<number, readonly WorkloadTensor[]>): Promise<void> {
  const writer = await CheckpointWriter.open(path);
  for (const [step, list] of Object.entries(steps)) await writer.save({ step: Number(step), tensors: drawn(list) });
  await writer.close();
}

const byName = (list: readonly WorkloadTensor[]): WorkloadTensor[] =>
  list.toSorted((left, right) => (left.name < right.name ? -1 : 1));

describe('a workload like a checkpoint', () => {
  it('has its tensors, and saved again it is like itself', async () => {
    const path = join(root.path, 'step-0000000001');
    await save(root.path, { 1: tensors });
    const spec = await specLike(path);
    expect(spec).toMatchObject({ kind: 'like', path, ranks: 1, seed: 1 });
    expect(byName(workloadTensors(spec, 0))).toEqual(byName(tensors));

    const again = join(root.path, 'again');
    mkdirSync(again);
    await save(again, { 7: workloadTensors(spec, 0) });
    const second = await specLike(again);
    expect(byName(workloadTensors(second, 0))).toEqual(byName(tensors));
  });

  it('of a root is like its newest step', async () => {
    await save(root.path, { 1: tensors, 2: tensors.slice(0, 1) });
    expect(workloadTensors(await specLike(root.path), 0)).toEqual(tensors.slice(0, 1));
  });

  it('of several ranks has for each what it wrote', async () => {
    const open = (rank: number): Promise<CheckpointWriter> =>
      CheckpointWriter.open(root.path, { rank, worldSize: 2, runId: 'like' });
    const writers = await Promise.all([open(0), open(1)]);
    const whole = { name: 'w', dtype: 'F32', shape: [6, 8], group: 'model', bytes: 192 } as const;
    const data = new Uint8Array(96);
    const slice = (origin: number): Tensor => ({
      dtype: 'F32',
      shape: [3, 8],
      globalShape: [6, 8],
      origin: [origin, 0],
      data,
    });
    const own = { dtype: 'U8', shape: [5], data: new Uint8Array(5) } as const;
    const saves = [
      writers[0].save({ step: 1, tensors: { [whole.name]: slice(0) } }),
      writers[1].save({ step: 1, tensors: { [whole.name]: slice(3), own } }),
    ];
    await Promise.all(saves);
    await Promise.all(writers.map((writer) => writer.close()));

    const spec = await specLike(root.path, { ranks: 2, seed: 9 });
    expect(describeWorkload(spec).seed).toBe(9);
    expect([0, 1].map((rank) => byName(workloadTensors(spec, rank)))).toEqual([
      [{ name: 'rank0.w', dtype: 'F32', shape: [3, 8], group: 'model', bytes: 96 }],
      [
        { name: 'rank1.own', dtype: 'U8', shape: [5], group: 'model', bytes: 5 },
        { name: 'rank1.w', dtype: 'F32', shape: [3, 8], group: 'model', bytes: 96 },
      ],
    ]);
  });

  it('is cut as others are, and is nothing but JSON', async () => {
    await save(root.path, { 1: tensors });
    const spec = await specLike(root.path, { fraction: 0.5 });
    const copy = JSON.parse(JSON.stringify(spec)) as WorkloadSpec;
    const cut = workloadTensors(copy, 0);
    expect(cut).toEqual(workloadTensors(spec, 0));
    expect(cut.map(({ name }) => name)).toContain('step');
    expect(cut.reduce((sum, { bytes }) => sum + bytes, 0)).toBeGreaterThan(0.48 * 16_392);
    expect(cut.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(0.5 * 16_392);
  });

  it('is taken from what others wrote: one file, a folder, files of several ranks', async () => {
    const file = join(root.path, 'model.safetensors');
    writeFileSync(file, shard({ a: { shape: [3, 4] } }));
    const a = { name: 'a', dtype: 'U8', shape: [3, 4], group: 'model', bytes: 12 };
    for (const path of [file, root.path]) expect((await specLike(path)).shares).toEqual([[a]]);

    const folder = join(root.path, 'dcp');
    mkdirSync(folder);
    for (const rank of [0, 1]) {
      const name = `shard-0000${rank + 1}-model-00001-of-00001.safetensors`;
      writeFileSync(join(folder, name), shard({ w: { shape: [2, 4], offsets: [2 * rank, 0] } }));
    }
    const w = { name: 'w', dtype: 'U8', shape: [2, 4], group: 'model', bytes: 8 };
    expect((await specLike(folder)).shares).toEqual([[w], [w]]);
  });

  it('must be there, and have tensors', async () => {
    const none = join(root.path, 'none');
    await expect(specLike(none)).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_NOT_FOUND' });
    await save(root.path, { 1: [] });
    await expect(specLike(root.path)).rejects.toMatchObject({
      code: 'ERR_SNAPSHARD_NOT_FOUND',
      message: expect.stringContaining('no tensors') as string,
    });
  });
});
