import fc from 'fast-check';
import { dtypeBits, dtypes } from '../../lib/tensor/dtype.js';
import type { Replicas, Tensor } from '../../lib/tensor/tensor.js';
import { type Box, bytesIn, elementsOf } from './replica_oracle.js';
import { group, patternBytes } from './tensor_arbitraries.js';

/** One tensor of a run: its bytes, and which ranks hold which part of it. */
export interface Whole {
  readonly name: string;
  readonly dtype: Tensor['dtype'];
  readonly globalShape: readonly number[];
  readonly group: string;
  readonly bytes: Uint8Array;
  readonly parts: readonly (Box & { readonly replicas: Replicas })[];
}

const elementsMax = 12_000;
const smallShape = fc.array(fc.constantFrom<number[]>(0, 1, 2, 3, 5, 7, 8, 16, 33), { maxLength: 3 });
/** Large enough to be cut: one dimension takes what the others leave of the elements. */
const largeShape = fc
  .tuple(smallShape, fc.nat(3))
  .map(([shape, place]) => shape.toSpliced(place, 0, Math.floor(elementsMax / (elementsOf(shape) || 1))));
export const dimensions: fc.Arbitrary<number[]> = fc
  .oneof(smallShape, { weight: 3, arbitrary: largeShape })
  .filter((shape) => elementsOf(shape) <= elementsMax);

const replicasOf = (worldSize: number): fc.Arbitrary<Replicas> =>
  fc.oneof(fc.constant('all' as const), fc.shuffledSubarray([...Array(worldSize).keys()], { minLength: 1 }));

/** A tensor, whole or in two slices along its first dimension, each with replicas of its own. */
function wholeArbitrary(worldSize: number): fc.Arbitrary<Omit<Whole, 'name'>> {
  const fields = {
    ...{ dtype: fc.constantFrom(...dtypes), shape: dimensions, group, seed: fc.nat(255), cut: fc.nat(elementsMax) },
    ...{ sets: fc.tuple(replicasOf(worldSize), replicasOf(worldSize)), inSlices: fc.boolean() },
  };
  return fc.record(fields).map(({ dtype, shape, group, seed, cut, sets, inSlices }) => {
    const globalShape = dtypeBits[dtype] % 8 === 0 ? shape : shape.toSpliced(seed % 4, 0, 4);
    const [rows = 0, ...row] = globalShape;
    const inWholeBytes = (elementsOf(row) * dtypeBits[dtype]) % 8 === 0;
    const cuts = inSlices && rows > 1 && inWholeBytes ? [0, 1 + (cut % (rows - 1)), rows] : [0, rows];
    const parts = cuts.slice(1).map((end, index) => {
      const begin = cuts[index]!;
      const origin = globalShape.map((_, dimension) => (dimension === 0 ? begin : 0));
      const shape = globalShape.map((size, dimension) => (dimension === 0 && rows > 0 ? end - begin : size));
      return { origin, shape, replicas: sets[index]! };
    });
    const bytes = patternBytes((elementsOf(globalShape) * dtypeBits[dtype]) / 8, seed);
    return { dtype, globalShape, group, bytes, parts };
  });
}

/** What several ranks save together. */
export interface Run {
  readonly worldSize: number;
  readonly wholes: readonly Whole[];
  /** Into how many parts the data of each tensor is cut. */
  readonly dataParts: number;
  readonly seed: number;
}

export const run: fc.Arbitrary<Run> = fc.integer({ min: 2, max: 6 }).chain((worldSize) =>
  fc.record({
    worldSize: fc.constant(worldSize),
    wholes: fc
      .array(wholeArbitrary(worldSize), { minLength: 1, maxLength: 6 })
      .map((wholes) => wholes.map((whole, index) => ({ ...whole, name: `${'zyxab'[index % 5]!}${index}` }))),
    dataParts: fc.integer({ min: 1, max: 5 }),
    seed: fc.nat(1000),
  }),
);

/** Bytes in several parts, the lengths of which follow no pattern of the tensor's, somewhere in buffers. */
function inParts(bytes: Uint8Array, count: number): Uint8Array[] {
  const cuts = Array.from({ length: count + 1 }, (_, part) => Math.floor(bytes.length * (part / count) ** 2));
  return cuts.slice(1).map((end, part) => {
    const data = new Uint8Array(new ArrayBuffer(end - cuts[part]! + 2 * part + 5), part + 3, end - cuts[part]!);
    data.set(bytes.subarray(cuts[part], end));
    return data;
  });
}

export function shuffled<Item>(items: readonly Item[], seed: number): Item[] {
  const key = (index: number) => (Math.imul(index + 1, 2654435761) ^ Math.imul(seed + 1, 40503)) >>> 0;
  return items
    .map((item, index) => ({ item, key: key(index) }))
    .sort((left, right) => left.key - right.key)
    .map(({ item }) => item);
}

/** What one rank passes to a save. */
export function tensorsOfRank(wholes: readonly Whole[], rank: number, dataParts: number): [string, Tensor][] {
  return wholes.flatMap(({ name, dtype, globalShape, group, bytes, parts }) =>
    parts
      .filter(({ replicas }) => replicas === 'all' || replicas.includes(rank))
      .map(({ origin, shape, replicas }): [string, Tensor] => {
        const data = inParts(bytesIn(bytes, dtype, globalShape, { origin, shape }), dataParts);
        return [name, { dtype, shape, globalShape, origin, group, replicas, data }];
      }),
  );
}
