import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  closeRanks,
  openRanks,
  saveEach,
  until,
  useRankProcesses,
  valuesOf,
  type RankWriter,
} from '../support/ranks.js';
import { expectFailed, expectOnly, expectWhole } from '../support/ranks_expect.js';
import { manyWays, oneTensor } from '../support/ranks_states.js';
import type { Mishap, RankFailure, RankRequest } from '../support/ranks_wire.js';
import { namesIn, useRoot } from '../support/root.js';

const root = useRoot();
const processes = useRankProcesses();

const beyondItsTensor = { dtype: 'F32', globalShape: [4], shape: [3], origin: [2] } as const;

const wrongs: readonly (readonly [title: string, wrong: Partial<RankRequest>, own: Partial<RankFailure>])[] = [
  ['passes a tensor that cannot be', { tensors: [['x', beyondItsTensor]] }, { code: 'ERR_SNAPSHARD_SHAPE_MISMATCH' }],
  ['names a side file as it may not', { files: { 'a/b': '' } }, { code: 'ERR_SNAPSHARD_INVALID_NAME' }],
  ['detaches what it saves', { mishap: 'detached' }, { code: 'ERR_SNAPSHARD_SOURCE_DETACHED' }],
  ...(['abortedBefore', 'abortedAtOnce', 'abortedWhenStaged'] satisfies Mishap[]).map(
    (mishap) => [`is ${mishap}`, { mishap }, { message: 'enough' }] as const,
  ),
];

async function nextSaveWorks(ranks: readonly RankWriter[], step = 8): Promise<void> {
  await expectWhole(await saveEach(ranks, { step, tensors: manyWays }), { tensors: manyWays });
  await closeRanks(ranks);
  expectOnly(root.path, [`step-000000000${step}`]);
}

describe.each([
  [0, [1, 2]],
  [1, [0, 2]],
])('a save in which rank %i fails is over for all, and the next one works:', (culprit, others) => {
  it.each(wrongs)('it %s', async (_title, wrong, own) => {
    const ranks = await openRanks(processes.take(3), root.path);
    const replies = await saveEach(ranks, { step: 8, tensors: manyWays }, { [culprit]: wrong });
    expect(replies[culprit]).toMatchObject({ failure: own });
    const told = replies[culprit] as { failure: RankFailure };
    const survivors = others.map((rank) => replies[rank]!);
    expectFailed(survivors, { code: 'ERR_SNAPSHARD_RANK_FAILED', ranks: [culprit], says: told.failure.message });
    await nextSaveWorks(ranks);
  });

  it('it closes its writer', async () => {
    const ranks = await openRanks(processes.take(3), root.path);
    const saves = others.map((rank) => ranks[rank]!.save({ step: 8, tensors: manyWays(rank, 3) }));
    const request = { step: 8, tensors: manyWays(culprit, 3) };
    const [own] = await Promise.all([ranks[culprit]!.save(request), ranks[culprit]!.process.ask({ kind: 'reset' })]);
    const survivors = await Promise.all(saves);
    expect(own).toMatchObject({ failure: { code: 'ERR_SNAPSHARD_CLOSED' } });
    expectFailed(survivors, { code: 'ERR_SNAPSHARD_RANK_FAILED', ranks: [culprit] });
    await closeRanks(others.map((rank) => ranks[rank]!));
    const again = ranks.map(({ process }) => process);
    await nextSaveWorks(await openRanks(again, root.path));
  });
});

describe('ranks that save together', () => {
  it('hear of all that have failed', async () => {
    const ranks = await openRanks(processes.take(4), root.path);
    const wrong = { step: 8, tensors: [['x', beyondItsTensor]] as const };
    for (const rank of [3, 1]) await ranks[rank]!.save(wrong);
    const session = namesIn(root.path).find((name) => /^\.session-.*(?<!roster)$/.test(name))!;
    const told = (): string[] => namesIn(join(root.path, session)).filter((name) => name.endsWith('.failed'));
    await until(() => told().length === 2);
    const survivors = [0, 2].map((rank) => ranks[rank]!.save({ step: 8, tensors: manyWays(rank, 4) }));
    const says = 'Ranks 1, 3';
    expectFailed(await Promise.all(survivors), { code: 'ERR_SNAPSHARD_RANK_FAILED', ranks: [1, 3], says });
    await nextSaveWorks(ranks);
  });

  it('do so though one aborts too late', async () => {
    const ranks = await openRanks(processes.take(3), root.path);
    const others = { 0: { mishap: 'abortedTooLate' }, 1: { mishap: 'abortedTooLate' } } as const;
    await expectWhole(await saveEach(ranks, { step: 1, tensors: manyWays }, others), { tensors: manyWays });
  });

  it('fail as often as one fails, and then save', async () => {
    const ranks = await openRanks(processes.take(3), root.path);
    for (let step = 1; step < 8; step++) {
      const mishap = { mishap: 'abortedWhenStaged' } as const;
      const replies = await saveEach(ranks, { step: step >> 1, tensors: oneTensor }, { [step % 3]: mishap });
      expect(replies.filter((reply) => 'value' in reply)).toEqual([]);
    }
    await nextSaveWorks(ranks);
  });

  it('give up one save of several that are queued', async () => {
    const ranks = await openRanks(processes.take(3), root.path);
    const others = { 1: { mishap: 'abortedAtOnce' } } as const;
    const saves = [1, 2, 3].map((step) => saveEach(ranks, { step, tensors: oneTensor }, step === 2 ? others : {}));
    const [first, second, third] = await Promise.all(saves);
    valuesOf([...first!, ...third!]);
    expectFailed([second![0]!, second![2]!], { code: 'ERR_SNAPSHARD_RANK_FAILED', ranks: [1] });
    await closeRanks(ranks);
    expectOnly(root.path, ['step-0000000001', 'step-0000000003']);
  });

  it('are refused a step that is there, all of them', async () => {
    const ranks = await openRanks(processes.take(3), root.path);
    valuesOf(await saveEach(ranks, { step: 1, tensors: oneTensor }));
    const replies = await saveEach(ranks, { step: 1, tensors: oneTensor });
    expectFailed(replies, { code: 'ERR_SNAPSHARD_STEP_EXISTS', says: 'Step 1 is published already' });
    await expectWhole(await saveEach(ranks, { step: 2, tensors: oneTensor }), { tensors: oneTensor });
  });
});
