import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkCoverage } from '../../lib/layout/coverage.js';
import type { TensorSpec } from '../../lib/tensor/tensor.js';

interface Slice {
  origin: number[];
  shape: number[];
}

const volume = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

function specsOf(globalShape: number[], slices: readonly Slice[], extra: Partial<TensorSpec> = {}): TensorSpec[] {
  return slices.map(({ origin, shape }) => ({
    ...({
      name: 'layers.0.wq',
      dtype: 'U8',
      group: 'model',
      globalShape,
      origin,
      shape,
      bytes: volume(shape),
    } as const),
    ...extra,
  }));
}

function verdict(specs: readonly TensorSpec[]): { code: string; message: string } {
  try {
    checkCoverage(specs);
  } catch (error) {
    return error as { code: string; message: string };
  }
  return { code: 'covered', message: '' };
}

/** Counts, cell by cell, how often each is covered. */
function bruteForce(globalShape: readonly number[], slices: readonly Slice[]): boolean {
  const counts = new Uint8Array(volume(globalShape));
  const visit = ({ origin, shape }: Slice, dimension: number, cell: number): void => {
    if (dimension === globalShape.length) {
      counts[cell]! += 1;
      return;
    }
    for (let index = 0; index < shape[dimension]!; index += 1) {
      visit({ origin, shape }, dimension + 1, cell * globalShape[dimension]! + origin[dimension]! + index);
    }
  };
  for (const slice of slices) visit(slice, 0, 0);
  return counts.every((count) => count === 1);
}

/** Cuts a box in two, again and again, where the numbers say. */
function cutUp(shape: readonly number[], cuts: readonly number[]): Slice[] {
  const slices: Slice[] = [{ origin: shape.map(() => 0), shape: [...shape] }];
  for (const cut of cuts) {
    const chosen = slices[cut % slices.length]!;
    const dimension = (cut >> 8) % shape.length;
    const size = chosen.shape[dimension]!;
    if (size < 2) continue;
    const at = 1 + ((cut >> 16) % (size - 1));
    const upper = { origin: [...chosen.origin], shape: [...chosen.shape] };
    upper.origin[dimension]! += at;
    upper.shape[dimension] = size - at;
    chosen.shape[dimension] = at;
    slices.push(upper);
  }
  return slices;
}

const shape = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 4 });
const cutting = fc
  .tuple(shape, fc.array(fc.nat(2 ** 30), { minLength: 1, maxLength: 25 }))
  .map(([globalShape, cuts]) => ({
    globalShape,
    slices: cutUp(globalShape, cuts),
  }));

describe('coverage', () => {
  it('holds for any cutting into boxes, in any order', () => {
    fc.assert(
      fc.property(cutting, fc.boolean(), ({ globalShape, slices }, reverse) => {
        expect(verdict(specsOf(globalShape, reverse ? slices.toReversed() : slices)).code).toBe('covered');
      }),
    );
  });

  it('fails for any cutting with a box missing, twice, or moved', () => {
    fc.assert(
      fc.property(
        cutting,
        fc.nat(),
        fc.constantFrom('missing', 'twice', 'wider'),
        ({ globalShape, slices }, at, fault) => {
          fc.pre(slices.length > 1);
          const index = at % slices.length;
          const slice = slices[index]!;
          const wider = { origin: slice.origin.map(() => 0), shape: slice.origin.map((o, d) => o + slice.shape[d]!) };
          fc.pre(fault !== 'wider' || volume(wider.shape) > volume(slice.shape));
          const others = slices.toSpliced(index, 1);
          const changed = { missing: others, twice: [...slices, slice], wider: [...others, wider] }[fault];
          const { code, message } = verdict(specsOf(globalShape, changed));
          expect(code).toBe('ERR_SNAPSHARD_INCOMPLETE_TENSOR');
          expect(message).toMatch(fault === 'missing' ? /"layers.0.wq" leave out \[/ : /"layers.0.wq" overlap at \[/);
        },
      ),
    );
  });

  it('agrees with counting cells, for boxes at random', () => {
    const box = fc.array(fc.tuple(fc.nat(3), fc.nat(3)), { minLength: 2, maxLength: 2 });
    fc.assert(
      fc.property(fc.array(box, { minLength: 1, maxLength: 5 }), (boxes) => {
        const slices = boxes.map((ranges) => ({
          origin: ranges.map(([a, b]) => Math.min(a, b)),
          shape: ranges.map(([a, b]) => Math.abs(a - b)),
        }));
        const covered = verdict(specsOf([3, 3], slices)).code === 'covered';
        expect(covered).toBe(bruteForce([3, 3], slices));
      }),
      { numRuns: 2000 },
    );
  });

  it('names what is missing, and what is there twice', () => {
    const [left, right] = [
      { origin: [0, 0], shape: [4, 3] },
      { origin: [0, 4], shape: [4, 4] },
    ];
    expect(verdict(specsOf([4, 8], [left, right])).message).toMatch(/leave out \[0:4, 3:4\] of globalShape \[4, 8\]/);
    const corner = { origin: [3, 2], shape: [1, 2] };
    expect(verdict(specsOf([4, 8], [left, right, corner])).message).toMatch(/leave out \[0:3, 3:4\]/);
    const column = { origin: [0, 2], shape: [4, 2] };
    expect(verdict(specsOf([4, 8], [left, right, column])).message).toMatch(/overlap at \[0:4, 2:3\]/);
  });

  it('counts a lone slice as incomplete', () => {
    expect(verdict(specsOf([4], [{ origin: [1], shape: [3] }])).message).toMatch(/leave out \[0:1\]/);
    expect(verdict(specsOf([4], [{ origin: [4], shape: [0] }])).message).toMatch(/leave out \[0:4\]/);
  });

  it('asks nothing of whole tensors, of empty ones, and of empty slices beside others', () => {
    const shape = [2, 2];
    const whole = specsOf(shape, [{ origin: [0, 0], shape }]);
    const empty = specsOf([4, 0], [{ origin: [2, 0], shape: [1, 0] }], { name: 'empty' });
    const beside = specsOf(
      [4],
      [
        { origin: [0], shape: [4] },
        { origin: [4], shape: [0] },
      ],
      { name: 'beside' },
    );
    expect(verdict([...whole, ...empty, ...beside]).code).toBe('covered');
  });

  it.each<[string, Partial<TensorSpec>, RegExp]>([
    ['dtype', { dtype: 'I8' }, /`dtype`: U8 and I8/],
    ['group', { group: 'ema' }, /`group`: model and ema/],
    ['globalShape', { globalShape: [5] }, /`globalShape`: \[4\] and \[5\]/],
  ])('needs slices to agree on %s', (_what, other, message) => {
    const first = specsOf([4], [{ origin: [0], shape: [2] }]);
    const second = specsOf([4], [{ origin: [2], shape: [2] }], other);
    expect(verdict([...first, ...second])).toMatchObject({ code: 'ERR_SNAPSHARD_SHAPE_MISMATCH' });
    expect(verdict([...first, ...second]).message).toMatch(message);
  });

  it('takes a tensor of 40,000 slices', () => {
    const slices = Array.from({ length: 40_000 }, (_, index) => ({
      origin: [Math.floor(index / 200) * 2, (index % 200) * 3],
      shape: [2, 3],
    }));
    expect(verdict(specsOf([400, 600], slices)).code).toBe('covered');
    expect(verdict(specsOf([400, 600], slices.toSpliced(12_345, 1))).message).toMatch(/leave out \[122:124, 435:438\]/);
  });
});
