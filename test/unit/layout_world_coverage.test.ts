import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SnapshardError } from '../../lib/errors.js';
import { BoxList } from '../../lib/layout/box_list.js';
import type { RankManifest } from '../../lib/layout/rank_manifest_reader.js';
import { type CheckedWorld, WorldCoverage } from '../../lib/layout/world_coverage.js';

type Slice = Pick<RankManifest['tensors'][number], 'name' | 'globalShape' | 'origin' | 'shape'> & {
  dtype?: 'F32' | 'U8';
  group?: string;
};

const listed = (name: string, bytes = 7, digit = '0') => ({ name, bytes, digest: digit.repeat(32) });
const slice = (name: string, globalShape: number[], origin: number[], shape: number[]): Slice => {
  return { name, globalShape, origin, shape };
};
const whole = (name: string, shape: number[]) => slice(name, shape, shape.map(() => 0), shape);

/** What the check looks at. */
function manifestOf(rank: number, slices: readonly Slice[], sideFiles: RankManifest['sideFiles'] = []): RankManifest {
  const groups = [...new Set(slices.map(({ group = 'model' }) => group))];
  return {
    ...{ rank, writer: 'w', step: 1, save: 's', worldSize: 4, sideFiles, digests: listed('ranks/00000.digests') },
    files: groups.map((group) => ({ ...listed(group), headerBytes: 4096, group })),
    tensors: slices.map(({ dtype = 'F32', group = 'model', ...tensor }) => {
      return { ...tensor, dtype, file: groups.indexOf(group), range: [0, 0], digest: '' };
    }),
  };
}

async function check(manifests: readonly RankManifest[]): Promise<CheckedWorld> {
  const coverage = new WorldCoverage();
  for (const manifest of manifests) await coverage.add(manifest);
  return coverage.finish(() => {
    return (async function* () {
      for (const manifest of manifests) yield await Promise.resolve(manifest);
    })();
  });
}

const checkSlices = (...ranks: Slice[][]) => check(ranks.map((slices, rank) => manifestOf(rank, slices)));

function refused(checked: Promise<unknown>): Promise<SnapshardError> {
  return checked.then(
    () => expect.fail('was accepted'),
    (error: unknown) => error as SnapshardError,
  );
}

describe('the check of all ranks', () => {
  it('accepts tensors that are there exactly once', async () => {
    const checked = await checkSlices(
      [slice('w', [4, 6], [0, 0], [2, 6]), whole('a', [3]), whole('scalar', [])],
      [slice('w', [4, 6], [2, 0], [2, 3])],
      [slice('w', [4, 6], [2, 3], [1, 3]), { ...whole('b', [2, 2]), dtype: 'U8', group: 'optimizer' }],
      [slice('w', [4, 6], [3, 3], [1, 3]), slice('w', [4, 6], [4, 0], [0, 6])],
    );
    expect(checked).toEqual({ tensors: 4, sideFiles: [] });
    expect(await check([])).toEqual({ tensors: 0, sideFiles: [] });
  });

  it('accepts a tensor without elements from any number of ranks', async () => {
    const part = (column: number) => [slice('e', [0, 8], [0, column], [0, 4])];
    expect(await checkSlices(part(0), part(4), [whole('e', [0, 8])], part(4))).toMatchObject({ tensors: 1 });
  });

  it('names the range that is missing, and the ranks beside it', async () => {
    const rows = (rank: number) => [slice('w', [8, 2], [2 * rank, 0], [2, 2])];
    const error = await refused(check([0, 1, 3].map((rank) => manifestOf(rank, rows(rank)))));
    expect(error).toMatchObject({ code: 'ERR_SNAPSHARD_INCOMPLETE_TENSOR', ranks: [1, 3] });
    expect(error.message).toBe(
      'Tensor "w" of globalShape [8, 2] lacks [4:6, 0:2], which no rank saved. What lies beside it is of ranks 1, 3.',
    );
  });

  it('names who has a tensor of which nothing is beside the gap', async () => {
    const error = await refused(checkSlices([whole('a', [2])], [slice('w', [9], [9], [0])]));
    expect(error).toMatchObject({ code: 'ERR_SNAPSHARD_INCOMPLETE_TENSOR', ranks: [1] });
    expect(error.message).toContain('lacks [0:9], which no rank saved. All that there is of the tensor is of rank 1.');
  });

  it('names the range that is there twice, and exactly the ranks that have it', async () => {
    const error = await refused(
      checkSlices(
        [slice('w', [8], [0], [2])],
        [slice('w', [8], [2], [3])],
        [slice('w', [8], [4], [2])],
        [slice('w', [8], [6], [2])],
      ),
    );
    expect(error).toMatchObject({ code: 'ERR_SNAPSHARD_INCOMPLETE_TENSOR', ranks: [1, 2] });
    expect(error.message).toContain(' of globalShape [8] is there more than once at [4:5]: ranks 1, 2 saved it.');
  });

  it('tells of `replicas` where ranks have whole copies', async () => {
    const copies = Array.from({ length: 300 }, () => [whole('step', []), whole('w', [2, 2])]);
    const error = await refused(checkSlices(...copies));
    expect(error).toMatchObject({ code: 'ERR_SNAPSHARD_INCOMPLETE_TENSOR', ranks: copies.map((_, rank) => rank) });
    expect(error.message).toMatch(
      /^Tensor "step" of globalShape \[\] is there more than once: ranks 0 to 299 saved it\. Declare `replicas`/,
    );
    const single = await refused(checkSlices([whole('w', [4]), slice('w', [4], [2], [2])]));
    expect(single.message).toContain('more than once at [2:4]: rank 0 saved it.');
  });

  it('wants the same dtype, group and global shape of all', async () => {
    const first = slice('w', [4, 2], [0, 0], [2, 2]);
    const second = slice('w', [4, 2], [2, 0], [2, 2]);
    const others: [Slice, string][] = [
      [{ ...second, dtype: 'U8' }, '`dtype`: "F32" on rank 0, "U8" on rank 2'],
      [{ ...second, group: 'optimizer' }, '`group`: "model" on rank 0, "optimizer" on rank 2'],
      [{ ...second, globalShape: [5, 2] }, '`globalShape`: [4, 2] on rank 0, [5, 2] on rank 2'],
      [whole('w', [8]), '`globalShape`: [4, 2] on rank 0, [8] on rank 2'],
    ];
    for (const [other, message] of others) {
      const error = await refused(checkSlices([first], [], [other]));
      expect(error).toMatchObject({ code: 'ERR_SNAPSHARD_SHAPE_MISMATCH', ranks: [0, 2] });
      expect(error.message).toContain(message);
    }
  });

  it('takes a side file from several ranks only if it is the same', async () => {
    const same = [manifestOf(0, [], [listed('a')]), manifestOf(1, [], [listed('b'), listed('a')])];
    expect((await check(same)).sideFiles).toEqual([listed('a'), listed('b')]);
    for (const other of [listed('a', 8), listed('a', 7, '1')]) {
      const error = await refused(check([...same, manifestOf(2, [], [other])]));
      expect(error).toMatchObject({ code: 'ERR_SNAPSHARD_DUPLICATE_NAME', ranks: [0, 2] });
      expect(error.message).toContain('Side file "a" of rank 2');
    }
  });
});

/** A tensor cut at random into boxes, which random ranks hold. */
const sizes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 0, maxLength: 3 });
const partition = fc.tuple(sizes, fc.infiniteStream(fc.nat(1000)), fc.nat(12)).map(([globalShape, numbers, cuts]) => {
  const next = (limit: number): number => (numbers.next().value as number) % limit;
  const boxes = [{ origin: globalShape.map(() => 0), shape: globalShape }];
  for (let count = 0; count < cuts && globalShape.length > 0; count += 1) {
    const [box] = boxes.splice(next(boxes.length), 1);
    const dimension = next(globalShape.length);
    const size = box!.shape[dimension]!;
    const first = size > 1 ? 1 + next(size - 1) : size;
    boxes.push({ ...box!, shape: box!.shape.with(dimension, first) });
    const origin = box!.origin.with(dimension, box!.origin[dimension]! + first);
    if (first < size) boxes.push({ origin, shape: box!.shape.with(dimension, size - first) });
  }
  boxes.sort(() => next(3) - 1);
  return { globalShape, boxes: boxes.map((box) => ({ ...box, rank: next(4) })) };
});

type Held = Slice & { rank: number };
const holds = ({ origin, shape }: Held, at: number[]) =>
  at.every((index, axis) => index >= origin[axis]! && index < origin[axis]! + shape[axis]!);

/** The range that a message names; `undefined` where it is about a whole tensor, or a scalar. */
function rangeOf(message: string): number[][] | undefined {
  const [, text = ''] = /(?:at|lacks) \[([^\]]*)\]/.exec(message) ?? [];
  return text === '' ? undefined : text.split(', ').map((part) => part.split(':').map(Number));
}

function* cellsOf(shape: readonly number[]): Generator<number[]> {
  const [size, ...rest] = shape;
  if (size === undefined) yield [];
  for (let index = 0; index < (size ?? 0); index += 1) {
    for (const cell of cellsOf(rest)) yield [index, ...cell];
  }
}

describe('the check of tensors cut at random', () => {
  const checkHeld = (held: readonly Held[]) =>
    check([0, 1, 2, 3].map((rank) => manifestOf(rank, held.filter((other) => other.rank === rank))));

  it('accepts all that cover theirs', async () => {
    const property = fc.asyncProperty(partition, async ({ globalShape, boxes }) => {
      const held = boxes.map((box) => ({ ...box, name: 'w', globalShape }));
      expect((await checkHeld(held)).tensors).toBe(1);
    });
    await fc.assert(property, { numRuns: 300 });
  });

  it('refuses all others, and says truly where and who', async () => {
    const changed = fc.tuple(partition, fc.nat(1000), fc.boolean());
    const property = fc.asyncProperty(changed, async ([{ globalShape, boxes }, number, twice]) => {
      const held: Held[] = boxes.map((box) => ({ ...box, name: 'w', globalShape }));
      const victim = held[number % held.length]!;
      if (twice) held.splice((number * 7) % held.length, 0, { ...victim, rank: number % 4 });
      else if (held.length > 1) held.splice(held.indexOf(victim), 1);
      else return;
      const error = await refused(checkHeld(held));
      expect(error.code).toBe('ERR_SNAPSHARD_INCOMPLETE_TENSOR');
      expect(error.message).toContain(twice ? 'more than once' : 'lacks');
      const range = rangeOf(error.message) ?? globalShape.map((size) => [0, size]);
      const holders = new Set<number>();
      for (const cell of cellsOf(range.map(([begin, end]) => end! - begin!))) {
        const at = cell.map((index, axis) => index + range[axis]![0]!);
        const holding = held.filter((other) => holds(other, at));
        expect(twice ? holding.length > 1 : holding.length === 0).toBe(true);
        for (const { rank } of holding) holders.add(rank);
      }
      if (twice) expect(error.ranks).toEqual([...holders].sort());
      else for (const rank of error.ranks!) expect(held.map((other) => other.rank)).toContain(rank);
    });
    await fc.assert(property, { numRuns: 500 });
  });
});

describe('the boxes of a tensor', () => {
  const ranks = 4096;
  const orders: [string, (rank: number) => { origin: number[]; shape: number[] }][] = [
    ['rows', (rank) => ({ origin: [rank * 2, 0], shape: [2, 8] })],
    ['columns', (rank) => ({ origin: [0, rank], shape: [8, 1] })],
    ['rows from the last to the first', (rank) => ({ origin: [ranks - 1 - rank, 0], shape: [1, 8] })],
    ['a grid', (rank) => ({ origin: [Math.floor(rank / 64), rank % 64], shape: [1, 1] })],
    ['a grid, the other way round', (rank) => ({ origin: [rank % 64, Math.floor(rank / 64)], shape: [1, 1] })],
    ['a block', (rank) => ({ origin: [rank % 16, (rank >> 4) % 16, rank >> 8], shape: [1, 1, 1] })],
    ['rows of rows', (rank) => ({ origin: [(rank % 8) * 512 + (rank >> 3), 0], shape: [1, 8] })],
    ['blocks in strides', (rank) => ({ origin: [(rank % 8) * 8 + ((rank >> 3) % 8), rank >> 6], shape: [1, 1] })],
  ];

  it.each(orders)('stay few: %s', (_, boxOf) => {
    const { origin } = boxOf(0);
    const list = new BoxList(origin.length);
    let most = 0;
    for (let rank = 0; rank < ranks; rank += 1) {
      const box = boxOf(rank);
      list.add(box.origin, box.shape);
      if (rank % 7 === 0) most = Math.max(most, list.boxes().length);
    }
    expect(most).toBeLessThanOrEqual(64);
    expect(list.overlap).toBeUndefined();
    const elements = (box: readonly { begin: number; end: number }[]) =>
      box.reduce((product, { begin, end }) => product * (end - begin), 1);
    const one = boxOf(0).shape.reduce((product, size) => product * size, 1);
    expect(list.boxes().reduce((sum, box) => sum + elements(box), 0)).toBe(ranks * one);
  });
});
