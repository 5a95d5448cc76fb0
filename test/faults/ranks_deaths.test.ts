import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  closeRanks,
  openEach,
  openRanks,
  saveEach,
  until,
  untilThere,
  useRankProcesses,
  type RankProcess,
  type RankWriter,
} from '../support/ranks.js';
import { expectFailed, expectOnly, expectWhole } from '../support/ranks_expect.js';
import { manyWays, oneTensor } from '../support/ranks_states.js';
import type { RankPublished, RankReply, RankTensors } from '../support/ranks_wire.js';
import { namesIn, useRoot } from '../support/root.js';

const root = useRoot();
const processes = useRankProcesses();
/** For tests in which it passes. */
const deadlineMs = 3000;
const late = { code: 'ERR_SNAPSHARD_DEADLINE' } as const;
const handedIn = (rank: number): string => `ranks/0000${rank}.json`;
const shardOf = (rank: number): string => `shard-0000${rank + 1}-model-00001-of-00001.safetensors`;
/** Takes so long to write that a rank can be met while it does. */
const large: RankTensors = [['large', { dtype: 'U8', shape: [2 ** 27] }]];

const saveOn = (ranks: readonly RankWriter[], rank: number): Promise<RankReply<RankPublished>> =>
  ranks[rank]!.save({ step: 8, tensors: manyWays(rank, ranks.length) });

/** With the same run id, the same step, and new processes where some have died. */
async function nextRunWorks(living: readonly RankProcess[], worldSize = 3): Promise<void> {
  const ranks = await openRanks([...living, ...processes.take(worldSize - living.length)], root.path);
  const replies = await saveEach(ranks, { step: 8, tensors: manyWays });
  await expectWhole(replies, { tensors: manyWays });
  await closeRanks(ranks);
  expectOnly(root.path, ['step-0000000008']);
}

describe('a rank that never comes is named:', () => {
  it.each([[[1]], [[2, 3]]])('ranks %j', async (missing) => {
    const four = processes.take(4);
    const openings = four.map(async (process, rank) => {
      if (missing.includes(rank)) return [];
      return openEach([process], root.path, { rank, worldSize: 4, deadlineMs });
    });
    expectFailed((await Promise.all(openings)).flat(), { ...late, ranks: missing });
    await nextRunWorks(four, 4);
  });

  it('rank 0', async () => {
    const [first, ...others] = processes.take(3);
    const openings = others.map((process, index) =>
      openEach([process], root.path, { rank: index + 1, worldSize: 3, deadlineMs }),
    );
    expectFailed((await Promise.all(openings)).flat(), { ...late, ranks: [0], says: 'Did it start' });
    await nextRunWorks([first!, ...others]);
  });

  it('rank 0, which died while they met', async () => {
    const [first, ...others] = processes.take(3);
    void openEach([first!], root.path, { rank: 0, worldSize: 3 });
    await until(() => namesIn(root.path).some((name) => existsSync(join(root.path, name, 'ranks'))));
    await first!.stop();
    const openings = others.map((process, index) =>
      openEach([process], root.path, { rank: index + 1, worldSize: 3, deadlineMs }),
    );
    await first!.kill();
    expectFailed((await Promise.all(openings)).flat(), { ...late, ranks: [0] });
    await nextRunWorks(others);
  });
});

describe('a rank that is killed is named:', () => {
  it.each([0, 1])('before its save: rank %i', async (culprit) => {
    const three = processes.take(3);
    const ranks = await openRanks(three, root.path, { deadlineMs });
    await three[culprit]!.kill();
    const survivors = ranks.flatMap((_, rank) => (rank === culprit ? [] : [saveOn(ranks, rank)]));
    expectFailed(await Promise.all(survivors), { ...late, ranks: [culprit] });
    await nextRunWorks(three.filter((_, rank) => rank !== culprit));
  });

  it.each([0, 1])('while it writes: rank %i', async (culprit) => {
    const three = processes.take(3);
    const ranks = await openRanks(three, root.path, { deadlineMs });
    void ranks[culprit]!.save({ step: 8, tensors: large });
    const begun = culprit === 0 ? [] : [saveOn(ranks, 0)];
    const path = await untilThere(root.path, shardOf(culprit));
    await three[culprit]!.kill();
    expect(existsSync(join(path, handedIn(culprit)))).toBe(false);
    const others = ranks.flatMap((_, rank) => (rank === culprit || rank === 0 ? [] : [saveOn(ranks, rank)]));
    expectFailed(await Promise.all([...begun, ...others]), { ...late, ranks: [culprit] });
    await nextRunWorks(three.filter((_, rank) => rank !== culprit));
  });

  it('rank 0, when all have handed in', async () => {
    const three = processes.take(3);
    const ranks = await openRanks(three, root.path, { deadlineMs });
    void saveOn(ranks, 0);
    const path = await untilThere(root.path, handedIn(0));
    await three[0]!.stop();
    const saves = [1, 2].map((rank) => saveOn(ranks, rank));
    await until(() => existsSync(join(path, handedIn(1))) && existsSync(join(path, handedIn(2))));
    await three[0]!.kill();
    expectFailed(await Promise.all(saves), { ...late, ranks: [0], says: 'all ranks had handed in' });
    await nextRunWorks(three.slice(1));
  });

  it('but not needed, once it has handed in', async () => {
    const three = processes.take(3);
    const ranks = await openRanks(three, root.path);
    const saves = [saveOn(ranks, 0)];
    void saveOn(ranks, 1);
    await untilThere(root.path, handedIn(1));
    await three[1]!.kill();
    saves.push(saveOn(ranks, 2));
    await expectWhole(await Promise.all(saves), { tensors: manyWays }, 3);
  });

  it('all of several', async () => {
    const four = processes.take(4);
    const ranks = await openRanks(four, root.path, { deadlineMs });
    await Promise.all([four[1]!.kill(), four[2]!.kill()]);
    const saves = [0, 3].map((rank) => saveOn(ranks, rank));
    expectFailed(await Promise.all(saves), { ...late, ranks: [1, 2] });
    await nextRunWorks([four[0]!, four[3]!], 4);
  });
});

describe('a rank that does not go on is named, ends when it does, and the next save works:', () => {
  it.each([0, 1])('rank %i', async (culprit) => {
    const three = processes.take(3);
    const ranks = await openRanks(three, root.path, { deadlineMs });
    const stopped = ranks[culprit]!.save({ step: 8, tensors: large });
    const begun = culprit === 0 ? [] : [saveOn(ranks, 0)];
    await untilThere(root.path, shardOf(culprit));
    await three[culprit]!.stop();
    const others = ranks.flatMap((_, rank) => (rank === culprit || rank === 0 ? [] : [saveOn(ranks, rank)]));
    expectFailed(await Promise.all([...begun, ...others]), { ...late, ranks: [culprit] });
    three[culprit]!.resume();
    expectFailed([await stopped], late);
    const replies = await saveEach(ranks, { step: 9, tensors: oneTensor });
    await expectWhole(replies, { tensors: oneTensor });
    await closeRanks(ranks);
    expectOnly(root.path, ['step-0000000009']);
  });

  it('a rank that comes too late for the save, as all ranks see it', async () => {
    const ranks = await openRanks(processes.take(3), root.path, { deadlineMs });
    const survivors = await Promise.all([0, 2].map((rank) => saveOn(ranks, rank)));
    expectFailed(survivors, { ...late, ranks: [1] });
    expectFailed([await saveOn(ranks, 1)], { ...late, ranks: [1] });
    await expectWhole(await saveEach(ranks, { step: 8, tensors: manyWays }), { tensors: manyWays });
    await closeRanks(ranks);
    expectOnly(root.path, ['step-0000000008']);
  });
});
