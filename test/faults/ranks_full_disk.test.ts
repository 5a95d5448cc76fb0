import { closeSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, type TestContext } from 'vitest';
import { MiB } from '../support/bytes.js';
import { mountSmallDisk, type LoopMount } from '../support/loop_mount.js';
import { closeRanks, openRanks, saveEach, untilThere, useRankProcesses, type RankWriter } from '../support/ranks.js';
import { expectFailed, expectOnly, expectWhole } from '../support/ranks_expect.js';
import { manyWays } from '../support/ranks_states.js';
import type { RankPublished, RankReply } from '../support/ranks_wire.js';
import { useRoot } from '../support/root.js';

const root = useRoot();
let disk: LoopMount | undefined;

// Registered after the hook that removes the root, and so called before it; after the processes have let go of it.
afterEach(() => {
  disk?.unmount();
  disk = undefined;
});

const processes = useRankProcesses();
const noSpace = { code: 'ERR_SNAPSHARD_NO_SPACE' } as const;

function mount(context: TestContext): string {
  const made = mountSmallDisk(root.path, 96 * MiB);
  if (typeof made === 'string') {
    console.warn(`skipped: ${made}`);
    return context.skip(made);
  }
  disk = made;
  rmSync(join(made.path, 'lost+found'), { recursive: true });
  return made.path;
}

/** Leaves not a block free. */
function fill(path: string): string {
  const filler = join(path, 'filler');
  const file = openSync(filler, 'a');
  for (let bytes = MiB; bytes >= 1024; ) {
    try {
      if (writeSync(file, Buffer.alloc(bytes)) === 0) bytes /= 2;
    } catch {
      bytes /= 2;
    }
  }
  closeSync(file);
  expect(statfsSync(path).bavail).toBe(0);
  return filler;
}

const saveOn = (ranks: readonly RankWriter[], rank: number): Promise<RankReply<RankPublished>> =>
  ranks[rank]!.save({ step: 8, tensors: manyWays(rank, ranks.length) });

async function expectNextSave(ranks: readonly RankWriter[], path: string): Promise<void> {
  await expectWhole(await saveEach(ranks, { step: 8, tensors: manyWays }), { tensors: manyWays });
  await closeRanks(ranks);
  expectOnly(path, ['step-0000000008']);
}

describe('a disk that is full', () => {
  it.for([0, 1])('for the shard of rank %i: the others learn of it, and the next save works', async (culprit, context) => {
    const path = mount(context);
    const ranks = await openRanks(processes.take(3), path);
    const tooMuch = { step: 8, tensors: [['large', { dtype: 'U8', shape: [2 ** 27] }]] as const };
    // While it asks for space, nobody else does.
    const before = culprit === 0 ? [] : [0, 2];
    const saves = before.map((rank) => saveOn(ranks, rank));
    for (const rank of before) await untilThere(path, `ranks/0000${rank}.json`);
    expectFailed([await ranks[culprit]!.save(tooMuch)], noSpace);
    if (culprit === 0) saves.push(saveOn(ranks, 1), saveOn(ranks, 2));
    expectFailed(await Promise.all(saves), { code: 'ERR_SNAPSHARD_RANK_FAILED', ranks: [culprit] });
    await expectNextSave(ranks, path);
  });

  it('so that rank 0 can neither begin nor say so: the others miss it', async (context) => {
    const path = mount(context);
    const ranks = await openRanks(processes.take(3), path, { deadlineMs: 4000 });
    const filler = fill(path);
    const replies = await saveEach(ranks, { step: 8, tensors: manyWays });
    expectFailed([replies[0]!], noSpace);
    expectFailed(replies.slice(1), { code: 'ERR_SNAPSHARD_DEADLINE', ranks: [0] });
    rmSync(filler);
    await expectNextSave(ranks, path);
  });

  it.for([1, 2])('so that rank %i can neither write nor say so: the others learn who it was', async (culprit, context) => {
    const path = mount(context);
    const ranks = await openRanks(processes.take(3), path);
    const survivors = [0, 3 - culprit].map((rank) => saveOn(ranks, rank));
    for (const rank of [0, 3 - culprit]) await untilThere(path, `ranks/0000${rank}.json`);
    const filler = fill(path);
    expectFailed([await saveOn(ranks, culprit)], noSpace);
    expectFailed(await Promise.all(survivors), { code: 'ERR_SNAPSHARD_RANK_FAILED', ranks: [culprit] });
    rmSync(filler);
    await expectNextSave(ranks, path);
  });

  it('so that rank 0 cannot publish: all learn of it', async (context) => {
    const path = mount(context);
    const ranks = await openRanks(processes.take(2), path);
    const saves = [saveOn(ranks, 0)];
    await untilThere(path, 'ranks/00000.json');
    await ranks[0]!.process.stop();
    saves.push(saveOn(ranks, 1));
    await untilThere(path, 'ranks/00001.json');
    const filler = fill(path);
    ranks[0]!.process.resume();
    const replies = await Promise.all(saves);
    expectFailed([replies[0]!], noSpace);
    expectFailed([replies[1]!], { code: 'ERR_SNAPSHARD_RANK_FAILED', ranks: [0] });
    rmSync(filler);
    await expectNextSave(ranks, path);
  });
});
