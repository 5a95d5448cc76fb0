import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { closeRanks, openRanks, RankProcess, saveEach, useRankProcesses, valuesOf } from '../support/ranks.js';
import { expectOnly, expectSamePublished, expectWhole, filesIn } from '../support/ranks_expect.js';
import { manyWays, oneTensor } from '../support/ranks_states.js';
import { useRoot } from '../support/root.js';

const root = useRoot();
const processes = useRankProcesses();

describe('ranks save one checkpoint', () => {
  it.each([2, 3, 4, 8])('of slices, replicas and whole tensors: %i processes', async (worldSize) => {
    const ranks = await openRanks(processes.take(worldSize), root.path);
    const path = await expectWhole(await saveEach(ranks, { step: 1000, tensors: manyWays }), { tensors: manyWays });
    expect(path).toBe(join(root.path, 'step-0000001000'));
    await closeRanks(ranks);
    expectOnly(root.path, ['step-0000001000']);
  });

  it('in one file for each rank and group', async () => {
    const ranks = await openRanks(processes.take(2), root.path);
    const path = await expectWhole(await saveEach(ranks, { step: 1, tensors: manyWays }), { tensors: manyWays });
    expect(filesIn(path)).toEqual([
      '00000.digests',
      '00000.json',
      '00001.digests',
      '00001.json',
      'manifest.json',
      'shard-00001-model-00001-of-00001.safetensors',
      'shard-00001-optimizer-00001-of-00001.safetensors',
      'shard-00002-model-00001-of-00001.safetensors',
      'shard-00002-optimizer-00001-of-00001.safetensors',
    ]);
  });

  it('in files of shardBytes', async () => {
    const ranks = await openRanks(processes.take(2), root.path, { shardBytes: 100_000 });
    const path = await expectWhole(await saveEach(ranks, { step: 1, tensors: manyWays }), { tensors: manyWays });
    expect(filesIn(path)).toContain('shard-00002-optimizer-00001-of-00002.safetensors');
  });

  it('though one of them has nothing in it, or none has', async () => {
    const tensors = (rank: number): ReturnType<typeof oneTensor> => (rank === 2 ? [] : oneTensor(rank, 2));
    const ranks = await openRanks(processes.take(3), root.path);
    await expectWhole(await saveEach(ranks, { step: 1, tensors }), { tensors });
    const nothing = { step: 2, tensors: () => [] };
    const path = await expectWhole(await saveEach(ranks, nothing), nothing);
    expect(filesIn(path).filter((name) => name.endsWith('.safetensors'))).toEqual([]);
  });

  it('again and again, also of other tensors', async () => {
    const ranks = await openRanks(processes.take(2), root.path);
    for (const [step, tensors] of [manyWays, manyWays, oneTensor, manyWays].entries()) {
      await expectWhole(await saveEach(ranks, { step, tensors }), { tensors });
    }
    await closeRanks(ranks);
    expectOnly(root.path, ['step-0000000000', 'step-0000000001', 'step-0000000002', 'step-0000000003']);
  });

  it('without waiting for the save before', async () => {
    const ranks = await openRanks(processes.take(3), root.path);
    const saves = [3, 1, 2].map((step) => saveEach(ranks, { step, tensors: manyWays }));
    for (const save of saves) await expectWhole(await save, { tensors: manyWays });
    await closeRanks(ranks);
    expectOnly(root.path, ['step-0000000001', 'step-0000000002', 'step-0000000003']);
  });

  it('in place of another', async () => {
    const ranks = await openRanks(processes.take(3), root.path);
    valuesOf(await saveEach(ranks, { step: 1, tensors: manyWays }));
    const replaced = await saveEach(ranks, { step: 1, tensors: oneTensor, overwrite: true });
    expect(await expectWhole(replaced, { tensors: oneTensor })).toBe(join(root.path, 'step-0000000001.g2'));
    valuesOf(await saveEach(ranks, { step: 1, tensors: oneTensor, overwrite: true }));
    await closeRanks(ranks);
    expectOnly(root.path, ['step-0000000001.g3']);
  });

  it('of several runs at once, by writers of the same processes', async () => {
    const both = processes.take(2);
    const runs = await Promise.all(['one', 'other'].map((runId) => openRanks(both, root.path, { runId })));
    const saves = runs.map((ranks, step) => saveEach(ranks, { step, tensors: manyWays }));
    for (const save of saves) await expectWhole(await save, { tensors: manyWays });
    await Promise.all(runs.map(closeRanks));
    expectOnly(root.path, ['step-0000000000', 'step-0000000001']);
  });

  it('by writers of one process', async () => {
    const [process] = processes.take(1) as [RankProcess];
    const ranks = await openRanks([process, process, process], root.path);
    await expectWhole(await saveEach(ranks, { step: 1, tensors: manyWays }), { tensors: manyWays });
  });

  it('as the ranks that their launcher says they are', async () => {
    const torchrun = (rank: number): Record<string, string> => ({
      RANK: String(rank),
      WORLD_SIZE: '2',
      LOCAL_WORLD_SIZE: '2',
      TORCHELASTIC_RUN_ID: 'run-7',
    });
    const started = [0, 1].map((rank) => new RankProcess(torchrun(rank)));
    const fromEnvironment = { rank: undefined, worldSize: undefined, runId: undefined };
    const ranks = await openRanks(started, root.path, fromEnvironment);
    const replies = await saveEach(ranks, { step: 1, tensors: manyWays });
    await Promise.all(started.map((process) => process.kill()));
    await expectWhole(replies, { tensors: manyWays });
  });
});

describe('beside tensors, ranks save', () => {
  it('files that one has, and files that several have', async () => {
    const ranks = await openRanks(processes.take(3), root.path);
    const common = { 'config.json': '{"layers":2}', 'empty.txt': '' };
    const others = {
      0: { files: { ...common, 'rng-0.json': '0' } },
      1: { files: { ...common, 'rng-1.json': '1' } },
      2: { files: { last: 'x' } },
    };
    const replies = await saveEach(ranks, { step: 1, tensors: oneTensor }, others);
    const path = await expectWhole(replies, { tensors: oneTensor });
    const contents = ['config.json', 'empty.txt', 'rng-0.json', 'rng-1.json', 'last'];
    expect(contents.map((name) => readFileSync(join(path, name), 'utf8'))).toEqual(['{"layers":2}', '', '0', '1', 'x']);
    const { files } = JSON.parse(readFileSync(join(path, 'manifest.json'), 'utf8')) as { files: { name: string }[] };
    expect(files.map(({ name }) => name).sort()).toEqual([...contents].sort());
  });

  it('the metadata of rank 0', async () => {
    const ranks = await openRanks(processes.take(2), root.path);
    const others = { 0: { metadata: { loss: 1.5 } }, 1: { metadata: { loss: 2.5 } } };
    const { path } = expectSamePublished(await saveEach(ranks, { step: 1, tensors: oneTensor }, others));
    const manifest = JSON.parse(readFileSync(join(path, 'manifest.json'), 'utf8')) as object;
    expect(manifest).toMatchObject({ step: 1, worldSize: 2, metadata: { loss: 1.5 } });
  });
});

describe('a world of 32', () => {
  it('saves one checkpoint', async () => {
    // On a single processor, 32 processes take minutes to start.
    const ranks = await openRanks(processes.take(32), root.path, { deadlineMs: 600_000 });
    await expectWhole(await saveEach(ranks, { step: 1, tensors: manyWays }), { tensors: manyWays });
    await expectWhole(await saveEach(ranks, { step: 2, tensors: manyWays }), { tensors: manyWays });
    await closeRanks(ranks);
    expectOnly(root.path, ['step-0000000001', 'step-0000000002']);
  });
});
