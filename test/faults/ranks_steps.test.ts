import { describe, expect, it } from 'vitest';
import { closeRanks, openRanks, saveEach, useRankProcesses, valuesOf, type RankWriter } from '../support/ranks.js';
import { expectFailed, expectOnly, expectWhole } from '../support/ranks_expect.js';
import { manyWays, oneTensor } from '../support/ranks_states.js';
import type { RankPublished, RankReply } from '../support/ranks_wire.js';
import { useRoot } from '../support/root.js';

const root = useRoot();
const processes = useRankProcesses();
const disagree = { code: 'ERR_SNAPSHARD_RANKS_DISAGREE', says: 'every rank must save the same steps' } as const;
const stepName = (step: number): string => `step-000000000${step}`;

/** The saves of one rank, each when the one before has ended. */
async function saveAll(
  ranks: readonly RankWriter[],
  rank: number,
  steps: readonly number[],
): Promise<RankReply<RankPublished>[]> {
  const replies = [];
  for (const step of steps) replies.push(await ranks[rank]!.save({ step, tensors: oneTensor(rank, ranks.length) }));
  return replies;
}

async function expectCommonSave(ranks: readonly RankWriter[], step: number): Promise<void> {
  await expectWhole(await saveEach(ranks, { step, tensors: manyWays }), { tensors: manyWays });
}

/** What each rank's saves came to, where the culprit asks for other steps than the others. */
async function saveSteps(
  ranks: readonly RankWriter[],
  culprit: number,
  { its, theirs }: { its: readonly number[]; theirs: readonly number[] },
): Promise<{ own: RankReply<RankPublished>[]; others: RankReply<RankPublished>[][] }> {
  const replies = await Promise.all(ranks.map((_, rank) => saveAll(ranks, rank, rank === culprit ? its : theirs)));
  return { own: replies[culprit]!, others: replies.filter((_, rank) => rank !== culprit) };
}

describe('ranks that have made different numbers of saves learn of it, and the next common save works:', () => {
  it.each([0, 1])('rank %i has left one out', async (culprit) => {
    const ranks = await openRanks(processes.take(3), root.path);
    const { own, others } = await saveSteps(ranks, culprit, { its: [1, 3], theirs: [1, 2, 3] });
    await expectWhole([own[0]!, ...others.map((replies) => replies[0]!)], { tensors: oneTensor });
    expectFailed(others.map((replies) => replies[1]!), disagree);
    await expectWhole([own[1]!, ...others.map((replies) => replies[2]!)], { tensors: oneTensor });
    await closeRanks(ranks);
    expectOnly(root.path, [stepName(1), stepName(3)]);
  });

  it.each([0, 1])('rank %i has made one too many', async (culprit) => {
    const ranks = await openRanks(processes.take(3), root.path);
    const { own, others } = await saveSteps(ranks, culprit, { its: [1, 2, 3], theirs: [1, 3] });
    expectFailed([own[1]!], disagree);
    await expectWhole([own[2]!, ...others.map((replies) => replies[1]!)], { tensors: oneTensor });
    await closeRanks(ranks);
    expectOnly(root.path, [stepName(1), stepName(3)]);
  });

  it.each([0, 1])('rank %i tries a step again, the others go on', async (culprit) => {
    const ranks = await openRanks(processes.take(3), root.path);
    const mishap = { mishap: 'abortedBefore' } as const;
    const failed = await saveEach(ranks, { step: 1, tensors: oneTensor }, { [culprit]: mishap });
    expect(failed.filter((reply) => 'value' in reply)).toEqual([]);
    const { own, others } = await saveSteps(ranks, culprit, { its: [1, 2], theirs: [2] });
    expectFailed([own[0]!], disagree);
    await expectWhole([own[1]!, ...others.flat()], { tensors: oneTensor });
    await closeRanks(ranks);
    expectOnly(root.path, [stepName(2)]);
  });

  it.each([0, 1])('rank %i has gone back to an earlier step for once', async (culprit) => {
    const ranks = await openRanks(processes.take(3), root.path);
    valuesOf(await saveEach(ranks, { step: 5, tensors: oneTensor }));
    const { own, others } = await saveSteps(ranks, culprit, { its: [3, 6], theirs: [6] });
    expectFailed([own[0]!], disagree);
    await expectWhole([own[1]!, ...others.flat()], { tensors: oneTensor });
    await closeRanks(ranks);
    expectOnly(root.path, [stepName(5), stepName(6)]);
  });

  it.each([
    [0, [1, 2]],
    [1, [0]],
  ])('rank %i is the only one to save', async (culprit, missed) => {
    const ranks = await openRanks(processes.take(3), root.path, { deadlineMs: 3000 });
    const { own } = await saveSteps(ranks, culprit, { its: [1, 2], theirs: [1] });
    expectFailed([own[1]!], { code: 'ERR_SNAPSHARD_DEADLINE', ranks: missed });
    await expectCommonSave(ranks, 4);
    await closeRanks(ranks);
    expectOnly(root.path, [stepName(1), stepName(4)]);
  });

  it('a rank that is ahead and that nobody follows is told at which step rank 0 was', async () => {
    const ranks = await openRanks(processes.take(3), root.path, { deadlineMs: 3000 });
    const { own, others } = await saveSteps(ranks, 2, { its: [4], theirs: [3] });
    expectFailed(others.flat(), disagree);
    const says = 'Rank 0 was seen to save step 3 while rank 2 saves step 4';
    expectFailed(own, { code: 'ERR_SNAPSHARD_DEADLINE', ranks: [0], says });
    await expectCommonSave(ranks, 5);
    await closeRanks(ranks);
    expectOnly(root.path, [stepName(5)]);
  });
});

describe('a call that names no step', () => {
  it('is no save: the others miss this rank', async () => {
    const ranks = await openRanks(processes.take(3), root.path, { deadlineMs: 3000 });
    const replies = await saveEach(ranks, { step: 1, tensors: oneTensor }, { 1: { step: -1 } });
    expectFailed([replies[1]!], { code: 'ERR_SNAPSHARD_INVALID_ARGUMENT' });
    expectFailed([replies[0]!, replies[2]!], { code: 'ERR_SNAPSHARD_DEADLINE', ranks: [1] });
    await expectCommonSave(ranks, 2);
  });
});
