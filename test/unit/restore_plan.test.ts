import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planSlices, type Wanted } from '../../lib/restore/plan.js';
import { cutWhole, cutWindows } from '../../lib/restore/plan_windows.js';
import type { Dtype } from '../../lib/tensor/dtype.js';
import {
  bytesOf,
  cutOut,
  Memory,
  pattern,
  product,
  readAll,
  regionArbitrary,
  type Stored,
  store,
  storedArbitrary,
} from './restore_plan_arbitraries.js';

const MiB = 2 ** 20;

interface Asked {
  readonly origin: number[];
  readonly shape: number[];
  readonly ends?: number[];
}

function want(stored: Stored, memory: Memory, { origin, shape, ends = [] }: Asked): Wanted {
  const bytes = product(shape) * bytesOf(stored.tensor.dtype);
  return { tensor: stored.tensor, origin, shape, pieces: memory.place(bytes, ends) };
}

function expectRead(stored: Stored, memory: Memory, wanted: Wanted): void {
  const { dtype, shape } = stored.tensor;
  expect(memory.take(wanted.pieces).equals(cutOut(stored.whole, bytesOf(dtype), shape, wanted))).toBe(true);
}

/** One slice for the whole tensor, in the first file. */
function whole(dtype: Dtype, shape: number[]): Stored {
  return store({ dtype, shape, regions: [{ origin: shape.map(() => 0), shape }], places: [0] });
}

describe('the plan of a read', () => {
  it('gets any parts of a tensor from any slices', async () => {
    const cases = storedArbitrary.chain((stored) =>
      fc.record({
        stored: fc.constant(stored),
        regions: fc.array(regionArbitrary(stored.tensor.shape), { minLength: 1, maxLength: 4 }),
        ends: fc.array(fc.nat(60), { maxLength: 3 }),
        limits: fc.record({ chunks: fc.integer({ min: 1, max: 9 }), copies: fc.integer({ min: 1, max: 9 }) }),
      }),
    );
    const read = fc.asyncProperty(cases, async ({ stored, regions, ends, limits }) => {
      const memory = new Memory();
      const wanted = regions.map((region) => want(stored, memory, { ...(region as Asked), ends }));
      for (const window of await readAll(stored, wanted, memory, limits)) {
        expect(window.chunkBytes.length).toBeLessThanOrEqual(limits.chunks);
        expect(window.copyBytes.length).toBeLessThanOrEqual(limits.copies);
      }
      for (const each of wanted) expectRead(stored, memory, each);
    });
    await fc.assert(read, { numRuns: 1500 });
  });

  it('reads scalars, and nothing for what is empty', async () => {
    const scalar = whole('F32', []);
    const memory = new Memory();
    const wanted = want(scalar, memory, { origin: [], shape: [] });
    expect(await readAll(scalar, [wanted], memory)).toHaveLength(1);
    expectRead(scalar, memory, wanted);
    const empty = whole('F32', [3, 0]);
    expect(await readAll(empty, [want(empty, memory, { origin: [0, 0], shape: [3, 0] })], memory)).toEqual([]);
  });

  it('merges what is contiguous on both sides', async () => {
    const stored = whole('BF16', [4, 5, 6]);
    const memory = new Memory();
    const copies = async (origin: number[], shape: number[]): Promise<number[]> => {
      const windows = await readAll(stored, [want(stored, memory, { origin, shape })], memory);
      return windows.flatMap((window) => [...window.copyBytes]);
    };
    expect(await copies([0, 0, 0], [4, 5, 6])).toEqual([240]);
    expect(await copies([1, 0, 0], [2, 5, 6])).toEqual([120]);
    expect(await copies([0, 1, 0], [4, 2, 6])).toEqual([24, 24, 24, 24]);
    expect(await copies([2, 1, 0], [1, 2, 6])).toEqual([24]);
    expect(await copies([2, 1, 3], [1, 2, 2])).toEqual([4, 4]);
    expect(await copies([2, 1, 3], [1, 1, 2])).toEqual([4]);
  });

  it('merges across dimensions of one element', async () => {
    const stored = whole('U8', [3, 1, 4, 1]);
    const memory = new Memory();
    const [window] = await readAll(stored, [want(stored, memory, { origin: [1, 0, 0, 0], shape: [2, 1, 4, 1] })], memory);
    expect([...window!.copyBytes]).toEqual([8]);
  });

  it('reads only the chunks that it needs, also of large slices', async () => {
    const shape = [6, MiB + 5];
    const stored = whole('U8', shape);
    const memory = new Memory();
    const wanted = [
      want(stored, memory, { origin: [3, 7], shape: [1, 100] }),
      want(stored, memory, { origin: [2, MiB - 11], shape: [2, 15], ends: [4, 16] }),
    ];
    const windows = await readAll(stored, wanted, memory);
    expect(windows.flatMap((window) => [...window.chunkIndex])).toEqual([2, 3, 4]);
    for (const each of wanted) expectRead(stored, memory, each);
  });

  it('cuts large requests into windows, within a chunk too', async () => {
    const stored = whole('U8', [600, 3]);
    const memory = new Memory();
    const wanted = want(stored, memory, { origin: [0, 1], shape: [600, 1] });
    const windows = await readAll(stored, [wanted], memory, { chunks: 100, copies: 250 });
    expect(windows.map((window) => [...window.chunkCopies])).toEqual([[250], [250], [100]]);
    expectRead(stored, memory, wanted);
  });

  it('takes time in proportion to the runs, and hands over no more than a window at a time', async () => {
    const rows = 2 ** 20;
    const stored = whole('U8', [rows, 2]);
    const memory = new Memory();
    const wanted = want(stored, memory, { origin: [0, 1], shape: [rows, 1] });
    let copies = 0;
    for (const window of cutWindows(await planSlices([wanted]))) {
      expect(window.copyBytes.length).toBeLessThanOrEqual(2 ** 18);
      copies += window.copyBytes.length;
    }
    expect(copies).toBe(rows);
  });

  it('lists every chunk of a slice once, where nothing is copied', () => {
    const stored = whole('U8', [2 * MiB + 1]);
    const planned = [{ tensor: stored.tensor, slice: stored.tensor.slices[0]!, shares: [] }];
    const windows = [...cutWhole(planned, 2)];
    expect(windows.map((window) => [...window.chunkBytes])).toEqual([[MiB, MiB], [1]]);
    expect(windows.map((window) => window.bytes)).toEqual([2 * MiB, 1]);
  });
});

describe('slices that overlap or leave gaps', () => {
  const shape = [4, 6];
  const rows = (begin: number, end: number): { origin: number[]; shape: number[] } => ({
    origin: [begin, 0],
    shape: [end - begin, 6],
  });

  it('are read where they cover what is wanted, replicas once', async () => {
    const stored = store({ dtype: 'I16', shape, regions: [rows(0, 4), rows(0, 4), rows(1, 3)], places: [0, 1, 2] });
    const memory = new Memory();
    const wanted = want(stored, memory, { origin: [0, 1], shape: [4, 5] });
    const [window, ...others] = await readAll(stored, [wanted], memory);
    expect([window!.files, others]).toEqual([[0], []]);
    expectRead(stored, memory, wanted);
  });

  it('are read where they overlap in part', async () => {
    const stored = store({ dtype: 'I16', shape, regions: [rows(0, 3), rows(2, 4), rows(1, 2)], places: [0, 1, 2] });
    const memory = new Memory();
    const wanted = want(stored, memory, { origin: [0, 0], shape: [4, 6] });
    const windows = await readAll(stored, [wanted], memory);
    expect(windows.flatMap((window) => window.files)).toEqual([0, 1]);
    expectRead(stored, memory, wanted);
  });

  it('are an error that names the missing range', async () => {
    const stored = store({ dtype: 'I16', shape, regions: [rows(0, 1), rows(2, 4)], places: [0, 1] });
    const memory = new Memory();
    const missing = want(stored, memory, { origin: [0, 2], shape: [4, 3] });
    await expect(planSlices([missing])).rejects.toThrow(
      expect.objectContaining({
        code: 'ERR_SNAPSHARD_INCOMPLETE_TENSOR',
        message: expect.stringMatching(/"w" of shape \[4, 6\] lacks \[1:2, 2:5\]/) as string,
      }),
    );
    expect(await planSlices([want(stored, memory, { origin: [2, 0], shape: [2, 6] })])).toHaveLength(1);
    const none = store({ dtype: 'I16', shape, regions: [], places: [] });
    await expect(planSlices([want(none, memory, { origin: [0, 0], shape })])).rejects.toThrow(/lacks all of it/);
  });

  it('leave a gap exactly where an element is in no slice', async () => {
    const cases = fc.array(regionArbitrary([4, 5]).filter((region) => !region.shape.includes(0)), { maxLength: 5 });
    const check = fc.asyncProperty(cases, regionArbitrary([4, 5]), async (regions, region) => {
      const stored = store({ dtype: 'U8', shape: [4, 5], regions, places: regions.map((_, index) => index) });
      const memory = new Memory();
      const wanted = want(stored, memory, region as Asked);
      const held = new Set<number>();
      for (const { origin, shape: [height = 0, width = 0] } of regions) {
        for (let at = 0; at < height * width; at += 1) {
          held.add((origin[0]! + Math.floor(at / width)) * 5 + origin[1]! + (at % width));
        }
      }
      const [height = 0, width = 0] = region.shape;
      const covered = Array.from({ length: height * width }, (_, at) =>
        held.has((region.origin[0]! + Math.floor(at / width)) * 5 + region.origin[1]! + (at % width)),
      );
      if (covered.every(Boolean)) {
        await readAll(stored, [wanted], memory);
        expectRead(stored, memory, wanted);
      } else {
        await expect(planSlices([wanted])).rejects.toThrow(/lacks/);
      }
    });
    await fc.assert(check, { numRuns: 500 });
  });
});

describe('elements narrower than a byte', () => {
  /** Each file: some bytes, then one slice. */
  function narrow(dtype: Dtype, shape: number[], regions: { origin: number[]; shape: number[] }[]): Stored {
    const bits = dtype === 'F4' ? 4 : 6;
    const bytes = (size: readonly number[]): number => (product(size) * bits) / 8;
    const all = pattern(bytes(shape));
    const rowBytes = bytes(shape.slice(1));
    const files: Buffer[] = [];
    const slices = regions.map(({ origin, shape: size }, file) => {
      files.push(Buffer.from(all.subarray(origin[0]! * rowBytes, origin[0]! * rowBytes + bytes(size))));
      return { file, begin: 0, end: bytes(size), origin, shape: size, digest: undefined, firstChunk: 1 };
    });
    return { tensor: { name: 'w', dtype, shape, group: 'model', slices }, whole: all, files };
  }

  it('are read where slices meet at whole bytes', async () => {
    for (const dtype of ['F4', 'F6_E2M3'] as const) {
      const bits = dtype === 'F4' ? 4 : 6;
      const stored = narrow(dtype, [6, 4], [
        { origin: [0, 0], shape: [2, 4] },
        { origin: [2, 0], shape: [4, 4] },
      ]);
      const memory = new Memory();
      const rowBytes = (4 * bits) / 8;
      const wanted = { tensor: stored.tensor, origin: [1, 0], shape: [3, 4], pieces: memory.place(3 * rowBytes, []) };
      await readAll(stored, [wanted], memory);
      expect(memory.take(wanted.pieces).equals(stored.whole.subarray(rowBytes, 4 * rowBytes))).toBe(true);
    }
  });

  it('are refused where they do not', async () => {
    const stored = narrow('F4', [4, 4], [{ origin: [0, 0], shape: [4, 4] }]);
    const memory = new Memory();
    for (const [origin, shape] of [
      [[0, 1], [4, 2]],
      [[0, 0], [4, 3]],
      [[1, 0], [1, 1]],
    ] as const) {
      const wanted = { tensor: stored.tensor, origin, shape, pieces: memory.place(product(shape) / 2, []) };
      await expect(planSlices([wanted])).rejects.toThrow(expect.objectContaining({ code: 'ERR_SNAPSHARD_SHAPE_MISMATCH' }));
    }
    const columns = { tensor: stored.tensor, origin: [0, 2], shape: [4, 2], pieces: memory.place(4, []) };
    await readAll(stored, [columns], memory);
    expect([...memory.take(columns.pieces)]).toEqual([1, 3, 5, 7].map((at) => stored.whole[at]));
  });
});
