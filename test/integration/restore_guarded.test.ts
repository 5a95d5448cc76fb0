import fc from 'fast-check';
import { openCheckpoint, type Tensor } from 'snapshard';
import { expect, it } from 'vitest';
import { MiB, randomBytes } from '../support/bytes.js';
import { Guarded, type GuardedKind } from '../support/guarded.js';
import { cutAlong, type Part, partOf, saveAsRanks } from '../support/restored.js';
import { useRoot } from '../support/root.js';

const root = useRoot();
const worldSize = 3;

/** Whole tensors, and along which dimension three ranks cut them. */
const wholes = {
  pages: { dtype: 'U8', shape: [9, 4096], width: 1, cut: 0 },
  large: { dtype: 'F32', shape: [700, 1024], width: 4, cut: 0 },
  columns: { dtype: 'BF16', shape: [1100, 1027], width: 2, cut: 1 },
  cube: { dtype: 'I64', shape: [7, 30, 11], width: 8, cut: 2 },
  scalar: { dtype: 'F64', shape: [], width: 8, cut: -1 },
} as const;
type Name = keyof typeof wholes;
const names = Object.keys(wholes) as Name[];
const bytesOf = ({ shape, width }: { shape: readonly number[]; width: number }): number =>
  shape.reduce((product, size) => product * size, width);
const data = new Map(names.map((name) => [name, randomBytes(bytesOf(wholes[name]))]));

function ofRank(rank: number): [string, Tensor][] {
  return names.flatMap((name): [string, Tensor][] => {
    const { dtype, shape, width, cut } = wholes[name];
    if (cut === -1) return rank === 0 ? [[name, { dtype, shape, data: data.get(name)! }]] : [];
    const part = cutAlong(shape, cut, worldSize)[rank]!;
    return [[name, { dtype, ...part, globalShape: shape, data: partOf(data.get(name)!, width, shape, part) }]];
  });
}

/** Part of a tensor: any, or often all of it along a dimension. */
function partArbitrary(shape: readonly number[]): fc.Arbitrary<Part> {
  const along = shape.map((size) =>
    fc.oneof(
      fc.constant([0, size] as const),
      fc.tuple(fc.noBias(fc.nat(size)), fc.noBias(fc.nat(size))).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const),
    ),
  );
  return fc
    .tuple(...along)
    .map((pairs) => ({ origin: pairs.map(([begin]) => begin), shape: pairs.map(([begin, end]) => end - begin) }));
}

const wanted = fc.constantFrom(...names).chain((name) =>
  fc.record({
    name: fc.constant(name),
    part: partArbitrary(wholes[name].shape),
    kind: fc.constantFrom<GuardedKind>('buffer', 'shared', 'lease', 'lease'),
    shift: fc.constantFrom(0, 0, 8, 512, 4095),
    /** Where the memory is cut in two, in thousandths. */
    cut: fc.nat(1000),
  }),
);

it('any parts go to any targets, and nothing beside them is written', { timeout: 180_000 }, async () => {
  const { path } = await saveAsRanks(root.path, worldSize, ofRank);
  await using checkpoint = await openCheckpoint(path, { stagingBytes: 8 * MiB, blockBytes: 2 * MiB });
  const property = fc.asyncProperty(fc.array(wanted, { minLength: 1, maxLength: 5 }), fc.boolean(), async (all, verify) => {
    const reads = all.map(({ name, part, kind, shift, cut }) => {
      const bytes = bytesOf({ ...part, width: wholes[name].width });
      const memory = new Guarded(kind, bytes, shift, (size) => checkpoint.allocate(size));
      const middle = Math.floor((bytes * cut) / 1000);
      const target = { ...part, data: [memory.view.subarray(0, middle), memory.view.subarray(middle)] };
      return { name, part, memory, target };
    });
    const report = await checkpoint.readInto(
      reads.map(({ name, target }) => [name, target] as const),
      { verify },
    );
    expect(report).toMatchObject({ verified: verify });
    for (const { name, part, memory } of reads) {
      const expected = partOf(data.get(name)!, wholes[name].width, wholes[name].shape, part);
      expect(expected.equals(memory.view), name).toBe(true);
      memory.release();
    }
  });
  await fc.assert(property, { numRuns: 400 });
});
