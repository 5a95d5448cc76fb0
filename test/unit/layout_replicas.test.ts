import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adamMoments, llamaModels, llamaTensors } from '../../lib/bench/llama.js';
import { checkCoverage } from '../../lib/layout/coverage.js';
import { type Plan, buildPlan } from '../../lib/layout/plan.js';
import { orderSegments } from '../../lib/layout/segments.js';
import { dtypeBits } from '../../lib/tensor/dtype.js';
import { normalizeTensors } from '../../lib/tensor/normalize.js';
import type { SourceTable } from '../../lib/tensor/source.js';
import type { TensorSpec } from '../../lib/tensor/tensor.js';
import { dimensions, run, shuffled, tensorsOfRank } from './replica_arbitraries.js';
import { bytesIn, elementsIn, elementsOf, slicesWritten } from './replica_oracle.js';
import { group } from './tensor_arbitraries.js';

const toleratedBytes = (share: number): number => Math.max(share * 0.004, 4096);

/** A whole tensor that all ranks hold, without data: it may have any size. */
function replica(name: string, shape: readonly number[], extra: Partial<TensorSpec> = {}): TensorSpec {
  const dtype = extra.dtype ?? 'U8';
  const origin = shape.map(() => 0);
  const bytes = (elementsOf(shape) * dtypeBits[dtype]) / 8;
  return { name, dtype, shape, globalShape: shape, origin, group: 'model', bytes, replicas: 'all', ...extra };
}

const planOf = (specs: readonly TensorSpec[], rank: number, worldSize: number): Plan =>
  buildPlan(specs, { shardBytes: Infinity, rank, worldSize });

const plansOf = (specs: readonly TensorSpec[], worldSize: number): Plan[] =>
  Array.from({ length: worldSize }, (_, rank) => planOf(specs, rank, worldSize));

const slicesBytes = ({ sliceBytes }: Plan): number => sliceBytes.reduce((sum, bytes) => sum + bytes, 0);

/** Name, origin and shape of what each rank writes. */
const written = (plans: readonly Plan[]): unknown[] =>
  plans.map(({ sliceSpecs }) => sliceSpecs.map(({ name, origin, shape }) => [name, origin, shape]));

/** The largest rank's bytes over the mean. */
function imbalance(specs: readonly TensorSpec[], worldSize: number): number {
  const bytes = plansOf(specs, worldSize).map(slicesBytes);
  const total = specs.reduce((sum, spec) => sum + spec.bytes, 0);
  expect(bytes.reduce((sum, part) => sum + part, 0)).toBe(total);
  return Math.max(...bytes) / (total / worldSize);
}

/** Sources of tensors of one part each, at the beginning of buffers that nobody ever reads. */
function sourcesOf(specs: readonly TensorSpec[]): SourceTable {
  const numbers = specs.map((_, index) => index);
  return {
    ...{ sources: numbers, sourceKinds: new Uint8Array(specs.length), sourceBytes: numbers, sourceTensors: [] },
    ...{ tensorSegments: [...numbers, specs.length], segmentSource: numbers, segmentOffset: numbers.map(() => 0) },
    segmentBytes: specs.map(({ bytes }) => bytes),
    cudaSources: new Map(),
  };
}

describe('replicas among ranks', () => {
  it('are written once, each element by one rank, with the bytes that it says', () => {
    fc.assert(
      fc.property(run, ({ worldSize, wholes, dataParts, seed }) => {
        const pieces: TensorSpec[] = [];
        const counts = new Map(wholes.map(({ name, globalShape }) => [name, new Uint8Array(elementsOf(globalShape))]));
        for (let rank = 0; rank < worldSize; rank += 1) {
          const tensors = shuffled(tensorsOfRank(wholes, rank, dataParts), seed + rank);
          const { specs, sources } = normalizeTensors(tensors, () => undefined, [], { rank, worldSize });
          const plan = planOf(specs, rank, worldSize);
          for (const [slice, bytes] of slicesWritten(plan, sources).entries()) {
            const spec = plan.sliceSpecs[slice]!;
            const whole = wholes.find(({ name }) => name === spec.name)!;
            expect([spec.dtype, spec.group, spec.globalShape]).toEqual([whole.dtype, whole.group, whole.globalShape]);
            const expected = bytesIn(whole.bytes, whole.dtype, whole.globalShape, spec);
            expect(Buffer.compare(bytes, expected)).toBe(0);
            for (const place of elementsIn(spec, whole.globalShape)) counts.get(spec.name)![place]! += 1;
            pieces.push(spec);
          }
        }
        checkCoverage(pieces);
        expect([...counts.values()].every((count) => count.every((times) => times === 1))).toBe(true);
        const empty = wholes.filter(({ bytes }) => bytes.length === 0);
        for (const { name, parts } of empty) {
          expect(pieces.filter((piece) => piece.name === name)).toHaveLength(parts.length);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('are divided in the same way, whatever the order of the input', () => {
    const specs = fc
      .array(fc.record({ shape: dimensions, dtype: fc.constantFrom('U8', 'F32', 'C64'), group }), { maxLength: 9 })
      .map((list) => list.map(({ shape, ...rest }, index) => replica(`${index % 7}.${index}`, shape, rest)));
    fc.assert(
      fc.property(specs, fc.integer({ min: 2, max: 9 }), fc.nat(1000), (inOrder, worldSize, seed) => {
        const headers = (list: readonly TensorSpec[]) =>
          plansOf(list, worldSize).map(({ files }) =>
            files.map(({ path, header }) => [path, Buffer.from(header).toString()]),
          );
        expect(headers(shuffled(inOrder, seed))).toEqual(headers(inOrder));
      }),
    );
  });
});

describe('the shares of the ranks', () => {
  it('differ from the mean by no more than two cuts may be moved', () => {
    const size = fc.tuple(fc.nat(2 ** 20), fc.constantFrom(1, 1024, 2 ** 28));
    const tensors = fc.array(size, { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(tensors, fc.integer({ min: 2, max: 300 }), (list, worldSize) => {
        const specs = list.map(([size, scale], index) => replica(`${index}`, [size * scale]));
        const total = specs.reduce((sum, { bytes }) => sum + bytes, 0);
        const share = total / worldSize;
        const bytes = plansOf(specs, worldSize).map(slicesBytes);
        expect(bytes.reduce((sum, part) => sum + part, 0)).toBe(total);
        for (const part of bytes) expect(Math.abs(part - share)).toBeLessThanOrEqual(2 * toleratedBytes(share) + 1);
      }),
    );
  });

  const layered = (name: string, count: number, shape: number[], extra: Partial<TensorSpec> = {}): TensorSpec[] =>
    Array.from({ length: count }, (_, index) => replica(`${name}.${index}`, shape, extra));

  it.each<[string, TensorSpec[], number]>([
    ['9 equal tensors on 8', layered('w', 9, [1000, 1000]), 8],
    ['few long rows on 4', [replica('w', [3, 1_000_000], { dtype: 'F32' })], 4],
    ['one huge tensor and a scalar', [replica('a', [], { dtype: 'F32' }), replica('w', [80_000, 8192])], 7],
    ['one huge tensor of 256 rows on 100', [replica('w', [256, 2 ** 20])], 100],
    ['experts of 8', layered('experts', 5, [8, 14_336, 4096], { dtype: 'BF16' }), 32],
    ['half bytes', layered('q', 3, [7, 5, 40_002], { dtype: 'F4' }), 4],
    ['three quarters of a byte', layered('q', 3, [6, 100, 4444], { dtype: 'F6_E2M3' }), 8],
    ['a petabyte on 16,384', [replica('w', [2 ** 50])], 16_384],
  ])('are even: %s', (_what, specs, worldSize) => {
    const ranks = worldSize > 1000 ? [0, 1, 777, worldSize - 1] : [...Array(worldSize).keys()];
    const share = specs.reduce((sum, { bytes }) => sum + bytes, 0) / worldSize;
    for (const rank of ranks) {
      const bytes = slicesBytes(planOf(specs, rank, worldSize));
      expect(Math.abs(bytes / share - 1)).toBeLessThanOrEqual(0.01);
    }
  });

  it.each(['8B', '70B'] as const)('are even for Llama-3-%s on 8 ranks, with and without its optimizer', (model) => {
    const weights = llamaTensors(llamaModels[model]);
    for (const tensors of [weights, [...weights, ...adamMoments(weights)]]) {
      const specs = tensors.map(({ name, shape, dtype, group }) => replica(name, shape, { dtype, group }));
      expect(imbalance(specs, 8)).toBeLessThanOrEqual(1.01);
    }
  });

  it('are taken by the ranks of the set alone, in their order', () => {
    const specs = [replica('w', [100_000, 3], { replicas: [1, 4, 6] })];
    expect(written([1, 4, 6].map((rank) => planOf(specs, rank, 8)))).toEqual([
      [['w', [0, 0], [33_333, 3]]],
      [['w', [33_333, 0], [33_334, 3]]],
      [['w', [66_667, 0], [33_333, 3]]],
    ]);
  });

  it('are those of all tensors of the set, whether or not their lists are one array', () => {
    const specs = ['a', 'b'].map((name) => replica(name, [10_000], { replicas: [1, 2] }));
    expect(written([1, 2].map((rank) => planOf(specs, rank, 3)))).toEqual([
      [['a', [0], [10_000]]],
      [['b', [0], [10_000]]],
    ]);
  });
});

describe('a cut', () => {
  const all = (shape: number[], extra: Partial<TensorSpec> = {}): TensorSpec => replica('w', shape, extra);

  it('divides along the outermost dimension that is fine enough', () => {
    expect(written(plansOf([all([1000, 3000])], 2))).toEqual([
      [['w', [0, 0], [500, 3000]]],
      [['w', [500, 0], [500, 3000]]],
    ]);
    expect(written(plansOf([all([3, 1_000_000])], 2))).toEqual([
      [['w', [0, 0], [3, 500_000]]],
      [['w', [0, 500_000], [3, 500_000]]],
    ]);
  });

  it.each([
    ['the finest', [20, 51, 50_000], [0, 0, 16_667], [20, 51, 16_666], 1020],
    ['the finest but one, where its parts would be too many', [20, 52, 50_000], [0, 17, 0], [20, 18, 50_000], 20],
    ['the outermost of the finest', [2, 32, 32, 10_000], [0, 11, 0, 0], [2, 10, 32, 10_000], 2],
  ])('divides along %s', (_what, shape, origin, ofSecond, ranges) => {
    const specs = [all(shape)];
    const plans = plansOf(specs, 3);
    expect(written(plans)[1]).toEqual([['w', origin, ofSecond]]);
    const segments = plans.map((plan) => orderSegments(plan, sourcesOf(specs)).segmentBytes.length);
    expect(segments).toEqual([ranges, ranges, ranges]);
  });

  it('moves to the end of a tensor that is near', () => {
    const specs = (bytes: number) => [replica('a', [bytes]), replica('b', [1_000_000])];
    expect(written(plansOf(specs(1_007_000), 2))).toEqual([[['a', [0], [1_007_000]]], [['b', [0], [1_000_000]]]]);
    expect(written(plansOf(specs(1_010_000), 2))).toEqual([
      [['a', [0], [1_005_000]]],
      [
        ['a', [1_005_000], [5000]],
        ['b', [0], [1_000_000]],
      ],
    ]);
  });

  it('leaves small tensors, and what cannot be divided, whole on the side where most of it lies', () => {
    expect(written(plansOf([all([4000])], 2))).toEqual([[['w', [0], [4000]]], []]);
    const specs = [replica('a', [2, 3, 1], { dtype: 'F4' }), replica('b', [1, 1], { dtype: 'C64' }), replica('c', [])];
    expect(written(plansOf(specs, 2))).toEqual([
      [['a', [0, 0, 0], [2, 3, 1]]],
      [
        ['b', [0, 0], [1, 1]],
        ['c', [], []],
      ],
    ]);
  });

  it('falls between whole bytes', () => {
    const halves = [all([3, 3, 20_002], { dtype: 'F4' })];
    expect(written(plansOf(halves, 2))).toEqual([
      [['w', [0, 0, 0], [3, 3, 10_002]]],
      [['w', [0, 0, 10_002], [3, 3, 10_000]]],
    ]);
    const oddRows = [all([20_002, 3], { dtype: 'F4' })];
    expect(written(plansOf(oddRows, 2))).toEqual([[['w', [0, 0], [10_002, 3]]], [['w', [10_002, 0], [10_000, 3]]]]);
    const oddInside = [all([4, 3, 20_001], { dtype: 'F4' })];
    expect(written(plansOf(oddInside, 2))).toEqual([
      [['w', [0, 0, 0], [2, 3, 20_001]]],
      [['w', [2, 0, 0], [2, 3, 20_001]]],
    ]);
    const sixBits = [all([40_004], { dtype: 'F6_E3M2' })];
    expect(written(plansOf(sixBits, 2))).toEqual([[['w', [0], [20_004]]], [['w', [20_004], [20_000]]]]);
  });

  it('of a slice counts from the origin of the slice', () => {
    const slice = all([50_000, 4], { globalShape: [200_000, 8], origin: [50_000, 4] });
    expect(written(plansOf([slice], 2))).toEqual([
      [['w', [50_000, 4], [25_000, 4]]],
      [['w', [75_000, 4], [25_000, 4]]],
    ]);
  });

  it('takes the slices of a tensor in the order of their origins', () => {
    const slices = [9, 100, 20].map((row) => all([1, 40_000], { globalShape: [200, 40_000], origin: [row, 0] }));
    expect(written(plansOf(slices, 3))).toEqual([9, 20, 100].map((row) => [['w', [row, 0], [1, 40_000]]]));
  });

  it('reaches byte offsets beyond 32 bits, and loses nothing at the limit of the safe integers', () => {
    const specs = [all([2 ** 52, 2], { bytes: Number.MAX_SAFE_INTEGER - 1, shape: [2 ** 52 - 1, 2] })].map((spec) => ({
      ...spec,
      globalShape: spec.shape,
    }));
    const ranges = plansOf(specs, 7).map((plan) => orderSegments(plan, sourcesOf(specs)));
    let position = 0;
    for (const { segmentBytes, segmentOffset } of ranges) {
      expect([segmentBytes.length, segmentOffset[0]]).toEqual([1, position]);
      position += segmentBytes[0]!;
    }
    expect(position).toBe(specs[0]!.bytes);
  });
});

describe('empty replicas', () => {
  it('are written by one rank', () => {
    const specs = [replica('a', [0, 3]), replica('b', [100_000]), replica('c', [0])];
    const plans = plansOf(specs, 4);
    const emptyOnes = ({ sliceSpecs }: Plan) => sliceSpecs.filter(({ bytes }) => bytes === 0).map(({ name }) => name);
    expect(plans.map(emptyOnes)).toEqual([['a'], [], [], ['c']]);
    const others = plansOf([replica('a', [0]), replica('b', [2, 0])], 3);
    expect(others.flatMap(emptyOnes).sort()).toEqual(['a', 'b']);
  });
});
