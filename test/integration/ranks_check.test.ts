import { describe, expect, it } from 'vitest';
import { closeRanks, openRanks, saveEach, useRankProcesses, type RankWriter } from '../support/ranks.js';
import { expectFailed, expectOnly, expectWhole, type Expected } from '../support/ranks_expect.js';
import { manyWays, oneTensor } from '../support/ranks_states.js';
import type { RankTensor, RankTensors } from '../support/ranks_wire.js';
import { useRoot } from '../support/root.js';

interface Case extends Expected {
  title: string;
  /** Of ranks 0, 1 and 2; beside it each has a part of a tensor that is right. */
  wrong: readonly (RankTensor | undefined)[];
}

const root = useRoot();
const processes = useRankProcesses();

const globalShape = [90, 64];
const rows = (begin: number, end: number, more: Partial<RankTensor> = {}): RankTensor => ({
  dtype: 'F32',
  globalShape,
  shape: [end - begin, 64],
  origin: [begin, 0],
  ...more,
});
const whole = (more: Partial<RankTensor> = {}): RankTensor => ({ dtype: 'F32', shape: globalShape, ...more });
/** Large enough to be divided among its replicas. */
const large = (replicas: RankTensor['replicas']): RankTensor => ({
  dtype: 'F32',
  shape: [1024, 1024],
  ...(replicas && { replicas }),
});

const incomplete = { code: 'ERR_SNAPSHARD_INCOMPLETE_TENSOR' } as const;
const mismatch = { code: 'ERR_SNAPSHARD_SHAPE_MISMATCH' } as const;

const cases: readonly Case[] = [
  {
    title: 'a gap between two',
    wrong: [rows(0, 30), rows(31, 60), rows(60, 90)],
    ...incomplete,
    ranks: [0, 1],
    says: 'lacks [30:31, 0:64]',
  },
  {
    title: 'a gap at the end, where a rank has nothing',
    wrong: [rows(0, 30), rows(30, 60), undefined],
    ...incomplete,
    ranks: [1],
    says: 'lacks [60:90, 0:64]',
  },
  {
    title: 'columns that leave a corner out',
    wrong: [rows(0, 45), rows(45, 90, { shape: [45, 32] }), rows(45, 89, { shape: [44, 32], origin: [45, 32] })],
    ...incomplete,
    ranks: [1, 2],
    says: 'lacks [89:90, 32:64]',
  },
  {
    title: 'an overlap of two slices',
    wrong: [rows(0, 30), rows(29, 60), rows(60, 90)],
    ...incomplete,
    ranks: [0, 1],
    says: 'is there more than once at [29:30, 0:64]',
  },
  {
    title: 'two copies of one slice',
    wrong: [rows(0, 90), undefined, rows(30, 60)],
    ...incomplete,
    ranks: [0, 2],
    says: '`replicas`',
  },
  {
    title: 'two copies of a whole tensor',
    wrong: [undefined, whole(), whole()],
    ...incomplete,
    ranks: [1, 2],
    says: 'is there more than once: ranks 1, 2 saved it. Declare `replicas`',
  },
  {
    title: 'dtypes that disagree',
    wrong: [rows(0, 30), rows(30, 60, { dtype: 'BF16' }), rows(60, 90)],
    ...mismatch,
    ranks: [0, 1],
    says: 'disagree on `dtype`',
  },
  {
    title: 'global shapes that disagree',
    wrong: [undefined, rows(0, 30), rows(30, 91, { globalShape: [91, 64] })],
    ...mismatch,
    ranks: [1, 2],
    says: 'disagree on `globalShape`',
  },
  {
    title: 'a slice, and a whole tensor of another shape',
    wrong: [rows(0, 90), undefined, { dtype: 'F32', shape: [64] }],
    ...mismatch,
    ranks: [0, 2],
    says: 'disagree on `globalShape`',
  },
  {
    title: 'groups that disagree',
    wrong: [rows(0, 30), rows(30, 60), rows(60, 90, { group: 'optimizer' })],
    ...mismatch,
    ranks: [0, 2],
    says: 'disagree on `group`',
  },
];

async function nextSaveWorks(ranks: readonly RankWriter[]): Promise<void> {
  await expectWhole(await saveEach(ranks, { step: 8, tensors: manyWays }), { tensors: manyWays });
  await closeRanks(ranks);
  expectOnly(root.path, ['step-0000000008']);
}

describe('what the ranks save is checked together:', () => {
  it.each(cases)('$title', async ({ wrong, ...expected }) => {
    const tensors = (rank: number, worldSize: number): RankTensors => [
      ...oneTensor(rank, worldSize),
      ...[wrong[rank] ?? []].flat().map((tensor) => ['layers.0.wq', tensor] as const),
    ];
    const ranks = await openRanks(processes.take(3), root.path);
    const replies = await saveEach(ranks, { step: 7, tensors });
    expectFailed(replies, expected);
    expectFailed(replies, { ...expected, says: '"layers.0.wq"' });
    expect(new Set(replies.map((reply) => JSON.stringify(reply))).size).toBe(1);
    await nextSaveWorks(ranks);
  });

  it.each([
    ['one rank knows of fewer', [large([0, 1]), large('all'), large('all')]],
    ['one rank does not know of any', [large('all'), large(undefined), large('all')]],
    ['one rank does not have it', [large('all'), large('all'), undefined]],
    ['no two ranks agree', [large([0, 1]), large([1, 2]), large('all')]],
  ])('lists of replicas that disagree: %s', async (_title, wrong) => {
    const tensors = (rank: number): RankTensors => (wrong[rank] ? [['shared', wrong[rank]]] : []);
    const ranks = await openRanks(processes.take(3), root.path);
    const replies = await saveEach(ranks, { step: 7, tensors });
    const [first] = replies;
    const message = expect.stringContaining('"shared"') as string;
    expect(first).toMatchObject({ failure: { code: 'ERR_SNAPSHARD_INCOMPLETE_TENSOR', message } });
    expect(replies).toEqual([first, first, first]);
    await nextSaveWorks(ranks);
  });

  it('side files of one name that differ', async () => {
    const ranks = await openRanks(processes.take(3), root.path);
    const others = { 1: { files: { 'config.json': '{}' } }, 2: { files: { 'config.json': '[]' } } };
    const replies = await saveEach(ranks, { step: 7, tensors: oneTensor }, others);
    expectFailed(replies, { code: 'ERR_SNAPSHARD_DUPLICATE_NAME', ranks: [1, 2], says: '"config.json"' });
    await nextSaveWorks(ranks);
  });
});
