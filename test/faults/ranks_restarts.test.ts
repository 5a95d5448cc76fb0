import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  closeRanks,
  openRanks,
  RankWriter,
  saveEach,
  until,
  untilThere,
  useRankProcesses,
  type RankProcess,
} from '../support/ranks.js';
import { expectFailed, expectOnly, expectWhole } from '../support/ranks_expect.js';
import { manyWays } from '../support/ranks_states.js';
import type { RankPublished, RankReply } from '../support/ranks_wire.js';
import { namesIn, useRoot } from '../support/root.js';

const root = useRoot();
const processes = useRankProcesses();
const deadlineMs = 3000;
const over = { code: 'ERR_SNAPSHARD_SESSION_OVER' } as const;
const disagree = { code: 'ERR_SNAPSHARD_RANKS_DISAGREE' } as const;

const saveOn = (ranks: readonly RankWriter[], rank: number): Promise<RankReply<RankPublished>> =>
  ranks[rank]!.save({ step: 8, tensors: manyWays(rank, ranks.length) });

/** A save in which the first ranks have handed in, and the others have not begun. */
async function halfSaved(
  ranks: readonly RankWriter[],
  count: number,
): Promise<{ path: string; saves: Promise<RankReply<RankPublished>>[] }> {
  const saves = ranks.slice(0, count).map((_, rank) => saveOn(ranks, rank));
  const path = await untilThere(root.path, 'ranks/00000.json');
  for (let rank = 1; rank < count; rank++) await until(() => existsSync(join(path, `ranks/0000${rank}.json`)));
  return { path, saves };
}

async function expectNextSave(ranks: readonly RankWriter[]): Promise<void> {
  await expectWhole(await saveEach(ranks, { step: 8, tensors: manyWays }), { tensors: manyWays });
  await closeRanks(ranks);
  expectOnly(root.path, ['step-0000000008']);
}

function openOne(process: RankProcess, rank: number, worldSize = 3, timeout_ms = 30_000): Promise<RankReply<RankWriter>> {
  return RankWriter.open(process, root.path, { rank, worldSize, runId: 'run', deadlineMs: timeout_ms });
}

describe('started again with the same run id after some ranks have handed in:', () => {
  it.each([1, 2, 3])('all ranks, after %i', async (count) => {
    const old = processes.take(3);
    const ranks = await openRanks(old, root.path);
    // When all have handed in, only rank 0 is left to stop it.
    if (count === 3) {
      const { path } = await halfSaved(ranks, 1);
      await old[0]!.stop();
      for (const rank of [1, 2]) void saveOn(ranks, rank);
      for (const rank of [1, 2]) await until(() => existsSync(join(path, `ranks/0000${rank}.json`)));
    } else {
      await halfSaved(ranks, count);
    }
    await Promise.all(old.map((process) => process.kill()));
    await expectNextSave(await openRanks(processes.take(3), root.path));
  });

  it('all ranks with another run id', async () => {
    const old = processes.take(3);
    await halfSaved(await openRanks(old, root.path), 2);
    await Promise.all(old.map((process) => process.kill()));
    await expectNextSave(await openRanks(processes.take(3), root.path, { runId: 'another' }));
  });

  it('rank 0 alone: the others learn that it is over', async () => {
    const three = processes.take(3);
    const ranks = await openRanks(three, root.path);
    const { saves } = await halfSaved(ranks, 2);
    await three[0]!.kill();
    const [again] = processes.take(1);
    const opening = openOne(again!, 0, 3, deadlineMs);
    expectFailed([await saves[1]!, await saveOn(ranks, 2)], { ...over, ranks: [0] });
    expectFailed([await opening], { code: 'ERR_SNAPSHARD_DEADLINE', ranks: [1, 2] });
    await closeRanks(ranks.slice(1));
    await expectNextSave(await openRanks([again!, ...three.slice(1)], root.path));
  });

  it('another rank alone: it cannot come in, and the others miss it', async () => {
    const three = processes.take(3);
    const ranks = await openRanks(three, root.path, { deadlineMs });
    const { saves } = await halfSaved(ranks, 2);
    await three[1]!.kill();
    const [again] = processes.take(1);
    const opening = openOne(again!, 1, 3, deadlineMs);
    expectFailed([await saves[0]!], { code: 'ERR_SNAPSHARD_DEADLINE', ranks: [2] });
    expectFailed([await opening], { ...over, ranks: [1] });
    expectFailed([await saveOn(ranks, 2)], { code: 'ERR_SNAPSHARD_DEADLINE', ranks: [2] });
    const survivors = await Promise.all([saveOn(ranks, 0), saveOn(ranks, 2)]);
    expectFailed(survivors, { code: 'ERR_SNAPSHARD_DEADLINE', ranks: [1] });
    await closeRanks([ranks[0]!, ranks[2]!]);
    await expectNextSave(await openRanks([three[0]!, again!, three[2]!], root.path));
  });
});

describe('a process that wakes up when its run was started again', () => {
  it.each([
    [0, 'before the new save'],
    [1, 'before the new save'],
    [0, 'in the new save'],
    [1, 'in the new save'],
    [0, 'after the new save'],
    [1, 'after the new save'],
  ])('learns that it is over, and changes nothing: rank %i, %s', async (zombie, moment) => {
    const old = processes.take(3);
    const before = await openRanks(old, root.path);
    const { path, saves } = await halfSaved(before, 2);
    await old[zombie]!.stop();
    if (zombie === 0) {
      // All that it needs to publish is there.
      void saveOn(before, 2);
      await until(() => existsSync(join(path, 'ranks/00002.json')));
    }
    await Promise.all(old.filter((_, rank) => rank !== zombie).map((process) => process.kill()));

    const ranks = await openRanks(processes.take(3), root.path);
    const wake = async (): Promise<void> => {
      old[zombie]!.resume();
      const code = expect.stringMatching(/_(SESSION_OVER|GIVEN_UP)$/) as string;
      expect(await saves[zombie]).toMatchObject({ failure: { code } });
      expectFailed([await before[zombie]!.save({ step: 9, tensors: manyWays(zombie, 3) })], over);
    };
    if (moment === 'before the new save') await wake();
    const saving = [saveOn(ranks, 0), saveOn(ranks, 1)];
    await untilThere(root.path, 'ranks/00001.json');
    if (moment === 'in the new save') await wake();
    saving.push(saveOn(ranks, 2));
    await expectWhole(await Promise.all(saving), { tensors: manyWays });
    if (moment === 'after the new save') await wake();
    await closeRanks([before[zombie]!, ...ranks]);
    expectOnly(root.path, ['step-0000000008']);
  });
});

describe('of two processes that are the same rank', () => {
  it('one is in: rank 1', async () => {
    const [first, second, again] = processes.take(3);
    const openings = [openOne(second!, 1, 2, deadlineMs), openOne(again!, 1, 2, deadlineMs)];
    const [zero, ...ones] = await Promise.all([openOne(first!, 0, 2), ...openings]);
    const writers = [zero, ...ones].flatMap((reply) => ('value' in reply ? [reply.value] : []));
    expectFailed(ones.filter((reply) => 'failure' in reply), { ...over, ranks: [1] });
    expect(writers).toHaveLength(2);
    await expectNextSave(writers);
  });

  it('the later one is in: rank 0', async () => {
    const [first, again, second] = processes.take(3);
    const opening = openOne(first!, 0, 2);
    const session = (): string | undefined => namesIn(root.path).find((name) => name.startsWith('.session-'));
    await until(() => session() !== undefined);
    const earlier = session();
    const openings = [openOne(again!, 0, 2)];
    await until(() => session() !== undefined && session() !== earlier);
    openings.push(openOne(second!, 1, 2));
    expectFailed([await opening], { ...over, ranks: [0] });
    const replies = await Promise.all(openings);
    await expectNextSave(replies.flatMap((reply) => ('value' in reply ? [reply.value] : [])));
  });
});

describe('ranks that disagree on how many they are', () => {
  it.each([2, 4])('are told so: rank 1 of %i, the others of 3', async (worldSize) => {
    const three = processes.take(3);
    const openings = three.map((process, rank) => openOne(process, rank, rank === 1 ? worldSize : 3, deadlineMs));
    expectFailed(await Promise.all(openings), { ...disagree, ranks: [0, 1], says: '`worldSize`' });
    await expectNextSave(await openRanks(three, root.path));
  });

  it('are told so, when one of them is beyond the last', async () => {
    const three = processes.take(3);
    // Rank 1 is not there: with it, the others would be all of two.
    const openings = [openOne(three[0]!, 0, 2, deadlineMs), openOne(three[2]!, 2, 3, deadlineMs)];
    expectFailed(await Promise.all(openings), { ...disagree, ranks: [0, 2], says: '`worldSize`' });
    await expectNextSave(await openRanks(three, root.path));
  });
});

describe('two runs', () => {
  it('that save the same step at once: one does, and all ranks of the other learn of it', async () => {
    const six = processes.take(6);
    const runs = [
      await openRanks(six.slice(0, 3), root.path, { runId: 'one' }),
      await openRanks(six.slice(3), root.path, { runId: 'other' }),
    ];
    const steps = [0, 1, 2, 3, 4];
    for (const step of steps) {
      const both = await Promise.all(runs.map((ranks) => saveEach(ranks, { step, tensors: manyWays })));
      const [winners, losers] = 'value' in both[0]![0]! ? [both[0]!, both[1]!] : [both[1]!, both[0]!];
      await expectWhole(winners, { tensors: manyWays });
      expectFailed(losers, { code: 'ERR_SNAPSHARD_STEP_EXISTS', says: `Step ${step} is published already` });
    }
    for (const [index, ranks] of runs.entries()) {
      await expectWhole(await saveEach(ranks, { step: 5 + index, tensors: manyWays }), { tensors: manyWays });
    }
    await Promise.all(runs.map(closeRanks));
    expectOnly(root.path, [...steps, 5, 6].map((step) => `step-000000000${step}`));
  });

  it('that replace the same step at once: both do, one after the other', async () => {
    const four = processes.take(4);
    const runs = [
      await openRanks(four.slice(0, 2), root.path, { runId: 'one' }),
      await openRanks(four.slice(2), root.path, { runId: 'other' }),
    ];
    const request = { step: 8, tensors: manyWays, overwrite: true };
    const both = await Promise.all(runs.map((ranks) => saveEach(ranks, request)));
    const paths = both.map((replies) => ('value' in replies[0]! ? replies[0].value.path : ''));
    const names = ['step-0000000008', 'step-0000000008.g2'];
    expect(paths.sort()).toEqual(names.map((name) => join(root.path, name)));
    await Promise.all(runs.map(closeRanks));
    expectOnly(root.path, names.slice(1));
  });
});

