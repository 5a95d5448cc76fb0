import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asBytes, cutRegions } from '../../lib/restore/plan_stream.js';
import type { Dtype } from '../../lib/tensor/dtype.js';
import { bytesOf, eachIndex, linear, Memory, product, readAll, store, storedArbitrary } from './restore_plan_arbitraries.js';

describe('the pieces of a stream', () => {
  it('follow each other in C order, hold everything once, and stay below their limit', () => {
    const cases = fc.record({
      dtype: fc.constantFrom<Dtype>('U8', 'F32', 'I64'),
      shape: fc.array(fc.integer({ min: 0, max: 7 }), { maxLength: 4 }),
      pieceBytes: fc.integer({ min: 1, max: 300 }),
    });
    const check = fc.property(cases, ({ dtype, shape, pieceBytes }) => {
      const { tensor } = store({ dtype, shape, regions: [], places: [] });
      const seen: number[] = [];
      for (const region of cutRegions(tensor, pieceBytes)) {
        const bytes = product(region.shape) * bytesOf(dtype);
        expect(bytes).toBeLessThanOrEqual(Math.max(pieceBytes, bytesOf(dtype)));
        eachIndex(region.shape, (index) => {
          seen.push(linear(shape, index.map((value, dimension) => value + region.origin[dimension]!)));
        });
      }
      expect(seen).toEqual(Array.from({ length: product(shape) }, (_, position) => position));
    });
    fc.assert(check, { numRuns: 500 });
  });

  it('are cut anywhere in the bytes where slices are ranges of them, and read the same', async () => {
    let ranges = 0;
    const check = fc.asyncProperty(storedArbitrary, fc.integer({ min: 1, max: 40 }), async (stored, pieceBytes) => {
      const plain = asBytes(stored.tensor);
      if (plain !== undefined) ranges += 1;
      const tensor = plain ?? stored.tensor;
      const pieces: Buffer[] = [];
      for (const region of cutRegions(tensor, pieceBytes)) {
        const memory = new Memory();
        const wanted = { tensor, ...region, pieces: memory.place(product(region.shape) * bytesOf(tensor.dtype), []) };
        await readAll(stored, [wanted], memory);
        pieces.push(memory.take(wanted.pieces));
      }
      expect(Buffer.concat(pieces).equals(stored.whole)).toBe(true);
    });
    await fc.assert(check, { numRuns: 500 });
    expect(ranges).toBeGreaterThan(50);
  });

  it('of rows and of elements narrower than a byte are whole bytes', () => {
    const rows = [0, 1, 2, 3].map((row) => ({ origin: [row, 0], shape: [1, 6] }));
    const tensor = { name: 'w', dtype: 'F4' as const, shape: [4, 6], group: 'model' };
    const slices = rows.map((region, file) => {
      return { ...region, file, begin: 8, end: 11, digest: undefined, firstChunk: 1 };
    });
    expect(asBytes({ ...tensor, slices })).toMatchObject({
      dtype: 'U8',
      shape: [12],
      slices: [0, 3, 6, 9].map((begin) => ({ origin: [begin], shape: [3], begin: 8 })),
    });
    const columns = [0, 2].map((column, file) => ({
      ...{ origin: [0, column], shape: [4, 2], file, begin: 8, end: 12, digest: undefined, firstChunk: 1 },
    }));
    expect(asBytes({ ...tensor, slices: columns })).toBeUndefined();
  });
});
