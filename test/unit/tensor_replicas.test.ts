import { describe, expect, it } from 'vitest';
import { normalizeTensors } from '../../lib/tensor/normalize.js';
import type { TensorSpec } from '../../lib/tensor/tensor.js';

const u8 = (replicas: unknown, extra: object = {}): object => ({
  ...{ dtype: 'U8', shape: [4], data: new Uint8Array(4), replicas },
  ...extra,
});

const specsOf = (tensors: unknown, rank: number, worldSize: number, known?: readonly TensorSpec[]): TensorSpec[] =>
  normalizeTensors(tensors as never, () => undefined, known, { rank, worldSize }).specs;

const replicasOf = (replicas: unknown, rank: number, worldSize: number): unknown =>
  specsOf({ w: u8(replicas) }, rank, worldSize)[0]!.replicas;

describe('`replicas`', () => {
  it('are none unless given', () => {
    expect(replicasOf(undefined, 1, 4)).toBeUndefined();
    expect(specsOf({ w: new Float32Array(2) }, 1, 4)[0]!.replicas).toBeUndefined();
  });

  it('are sorted, and stay as they were at the call', () => {
    const list = [6, 1, 3];
    const [spec] = specsOf({ w: u8(list) }, 3, 8);
    list[0] = 2;
    expect(spec!.replicas).toEqual([1, 3, 6]);
  });

  it.each([
    ['one rank', [2], 2, 4, undefined],
    ['all ranks of one', 'all', 0, 1, undefined],
    ['a list of the only rank', [0], 0, 1, undefined],
    ['all ranks', 'all', 2, 4, 'all'],
    ['a list of all ranks', [3, 2, 0, 1], 2, 4, 'all'],
  ])('say the same in one way: %s', (_what, replicas, rank, worldSize, canonical) => {
    expect(replicasOf(replicas, rank, worldSize)).toBe(canonical);
  });

  it('that are equal share an array, and those that differ do not', () => {
    const [a, b, c, d] = specsOf({ a: u8([2, 1]), b: u8([3, 1]), c: u8([1, 2]), d: u8([1, 2]) }, 1, 4);
    expect([a!.replicas, b!.replicas]).toEqual([
      [1, 2],
      [1, 3],
    ]);
    expect(c!.replicas).toBe(a!.replicas);
    expect(d!.replicas).toBe(a!.replicas);
  });

  it('are those of a list that changes from tensor to tensor', () => {
    const list = [0, 1];
    const tensors = (function* () {
      yield ['a', u8(list)];
      list[1] = 2;
      yield ['b', u8(list)];
    })();
    expect(specsOf(tensors, 0, 4).map(({ replicas }) => replicas)).toEqual([
      [0, 1],
      [0, 2],
    ]);
  });

  it('may be given for slices', () => {
    const slices = [0, 4].map((origin) => ['w', u8([0, origin + 1], { globalShape: [8], origin: [origin] })]);
    expect(specsOf(slices, 0, 8).map(({ origin, replicas }) => [origin, replicas])).toEqual([
      [[0], [0, 1]],
      [[4], [0, 5]],
    ]);
  });

  it.each<[string, unknown, string]>([
    ['null', null, 'null'],
    ['another word', 'every', '"every"'],
    ['a number', 3, '3'],
    ['a set', new Set([2, 3]), 'an instance of Set'],
    ['a typed array', Uint8Array.of(2, 3), 'an instance of Uint8Array'],
    ['no rank', [], '[]'],
    ['others only', [0, 1], '[0, 1]'],
    ['a rank twice', [2, 1, 2], '[2, 1, 2]'],
    ['a rank too many', [2, 4], '[2, 4]'],
    ['a negative rank', [2, -1], '[2, -1]'],
    ['half a rank', [2, 0.5], '[2, 0.5]'],
    ['NaN', [2, NaN], '[2, NaN]'],
    ['a string', [2, '3'], 'an array of 2'],
    ['a hole', new Array(1).concat(2), '[, 2]'],
  ])('are refused: %s', (_what, replicas, received) => {
    const act = () => specsOf({ v: u8([2, 3]), 'layers.0': u8(replicas) }, 2, 4);
    expect(act).toThrow(expect.objectContaining({ code: 'ERR_SNAPSHARD_INVALID_ARGUMENT' }));
    const expected = "'all' or a list of different ranks from 0 to 3, this one (2) among them,";
    expect(act).toThrow(`Expected ${expected} for \`replicas\` of tensor "layers.0" but received ${received}.`);
  });

  it('are refused where there is one rank and another is named', () => {
    expect(() => replicasOf([0, 1], 0, 1)).toThrow(/from 0 to 0/);
    expect(() => normalizeTensors({ w: u8([1]) } as never, () => undefined)).toThrow(/from 0 to 0/);
  });
});

describe('specs of an earlier save', () => {
  const tensors = { a: u8('all'), b: u8([1, 3]), c: u8(undefined) };
  const first = specsOf(tensors, 1, 4);

  it('are used again where nothing changed', () => {
    const same = { a: u8([0, 1, 2, 3]), b: u8([3, 1]), c: u8([1]) };
    for (const again of [tensors, same]) {
      for (const [index, spec] of specsOf(again, 1, 4, first).entries()) expect(spec).toBe(first[index]);
    }
  });

  it.each([
    ['all now', { a: u8('all'), b: u8('all') }],
    ['none now', { a: u8(undefined), b: u8([1]) }],
    ['others now', { a: u8([1, 3]), b: u8([1, 2]) }],
    ['one more now', { a: u8([0, 1]), b: u8([1, 2, 3]) }],
    ['some now', { a: u8('all'), b: u8([1, 3]), c: u8([0, 1]) }],
  ])('are not when the replicas are %s', (_what, changed) => {
    expect(specsOf(changed, 1, 4, first)).toEqual(specsOf(changed, 1, 4));
  });
});
