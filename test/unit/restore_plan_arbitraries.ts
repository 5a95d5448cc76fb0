import fc from 'fast-check';
import type { Region } from '../../lib/restore/boxes.js';
import type { Piece, Wanted } from '../../lib/restore/plan.js';
import { cutWindows, type Window, type WindowLimits } from '../../lib/restore/plan_windows.js';
import { planSlices } from '../../lib/restore/plan.js';
import type { StoredSlice, StoredTensor } from '../../lib/restore/stored.js';
import { type Dtype, dtypeBits } from '../../lib/tensor/dtype.js';

/** Bytes in front of the slices of every file. */
const headerBytes = 40;

export const product = (sizes: readonly number[]): number => sizes.reduce((result, size) => result * size, 1);

/** Calls back for the index of each element of a region, in C order. */
export function eachIndex(shape: readonly number[], visit: (index: readonly number[]) => void): void {
  const index = shape.map(() => 0);
  for (let left = product(shape); left > 0; left -= 1) {
    visit(index);
    for (let dimension = shape.length - 1; dimension >= 0; dimension -= 1) {
      index[dimension]! += 1;
      if (index[dimension]! < shape[dimension]!) break;
      index[dimension] = 0;
    }
  }
}

/** Where an element lies in a tensor of this shape. */
export function linear(shape: readonly number[], index: readonly number[]): number {
  return index.reduce((position, value, dimension) => position * shape[dimension]! + value, 0);
}

/** The bytes of part of a tensor, one element after the other. */
export function cutOut(whole: Buffer, elementBytes: number, shape: readonly number[], { origin, shape: size }: Region): Buffer {
  const part = Buffer.alloc(product(size) * elementBytes);
  let at = 0;
  eachIndex(size, (index) => {
    const from = linear(shape, index.map((value, dimension) => value + origin[dimension]!)) * elementBytes;
    whole.copy(part, at, from, from + elementBytes);
    at += elementBytes;
  });
  return part;
}

/** A tensor in slices, and the files that they are in. */
export interface Stored {
  readonly tensor: StoredTensor;
  readonly whole: Buffer;
  readonly files: readonly Buffer[];
}

export interface StoredParts {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly regions: readonly Region[];
  /** For each region which of the files has it. */
  readonly places: readonly number[];
  readonly whole?: Buffer;
}

/** Puts slices behind each other into files. */
export function store({ dtype, shape, regions, places, whole = pattern(product(shape) * bytesOf(dtype)) }: StoredParts): Stored {
  const count = Math.max(0, ...places) + 1;
  const files = Array.from({ length: count }, () => Buffer.alloc(headerBytes, 0xee));
  const chunks = files.map(() => 1);
  const slices = regions.map(({ origin, shape: size }, number): StoredSlice => {
    const file = places[number]!;
    const bytes = cutOut(whole, bytesOf(dtype), shape, { origin, shape: size });
    const begin = files[file]!.length;
    files[file] = Buffer.concat([files[file]!, bytes]);
    const firstChunk = chunks[file]!;
    chunks[file]! += Math.ceil(bytes.length / 2 ** 20);
    return { file, begin, end: begin + bytes.length, origin, shape: size, digest: undefined, firstChunk };
  });
  return { tensor: { name: 'w', dtype, shape, group: 'model', slices }, whole, files };
}

export const bytesOf = (dtype: Dtype): number => dtypeBits[dtype] / 8;

/** Bytes of which no two places nearby look alike. */
export function pattern(bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 1) buffer[at] = (at * 167 + (at >> 8) * 59 + (at >> 16) * 31) & 255;
  return buffer;
}

/** Cuts a region in two, and again, wherever the numbers say. */
function split(region: Region, cuts: readonly (readonly [which: number, dimension: number, at: number])[]): Region[] {
  const regions = [region];
  for (const [which, dimensionSeed, atSeed] of cuts) {
    const place = which % regions.length;
    const { origin, shape } = regions[place]!;
    if (shape.length === 0) continue;
    const dimension = dimensionSeed % shape.length;
    const size = shape[dimension]!;
    if (size < 2) continue;
    const at = 1 + (atSeed % (size - 1));
    const left = { origin, shape: shape.with(dimension, at) };
    const right = {
      origin: origin.with(dimension, origin[dimension]! + at),
      shape: shape.with(dimension, size - at),
    };
    regions.splice(place, 1, left, right);
  }
  return regions;
}

const cutsArbitrary = fc.array(fc.tuple(fc.nat(99), fc.nat(9), fc.nat(99)), { maxLength: 12 });

/** A small tensor of whole-byte elements, in slices that cover it exactly, spread over three files. */
export const storedArbitrary: fc.Arbitrary<Stored> = fc
  .record({
    dtype: fc.constantFrom<Dtype>('U8', 'BF16', 'F32', 'I64'),
    shape: fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 4 }),
    cuts: cutsArbitrary,
    places: fc.array(fc.nat(2), { minLength: 13, maxLength: 13 }),
  })
  .map(({ dtype, shape, cuts, places }) => {
    const regions = split({ origin: shape.map(() => 0), shape }, cuts);
    return store({ dtype, shape, regions, places: places.slice(0, regions.length) });
  });

/** Any part of a shape, empty ones included. */
export function regionArbitrary(shape: readonly number[]): fc.Arbitrary<Region> {
  return fc
    .tuple(...shape.map((size) => fc.tuple(fc.nat(size), fc.nat(size)).map((pair) => pair.sort((a, b) => a - b))))
    .map((pairs) => ({ origin: pairs.map(([begin]) => begin), shape: pairs.map(([begin, end]) => end - begin) }));
}

/** Memory for regions, cut into pieces in one buffer or several, with something between them that must stay. */
export class Memory {
  readonly targets: Buffer[] = [];

  /** Room for so many bytes, in pieces that end at the given places. */
  place(bytes: number, ends: readonly number[]): Piece[] {
    const cuts = [...new Set([...ends.filter((end) => end > 0 && end < bytes), bytes])].sort((a, b) => a - b);
    let begin = 0;
    return cuts.map((end, number) => {
      const offset = 1 + (number % 3);
      this.targets.push(Buffer.alloc(end - begin + offset + 2, 0xaa));
      const piece = { begin, end, target: this.targets.length - 1, offset };
      begin = end;
      return piece;
    });
  }

  /** The bytes that went to the pieces; what lies around them must be as it was. */
  take(pieces: readonly Piece[]): Buffer {
    return Buffer.concat(
      pieces.map(({ target, offset, begin, end }) => {
        const memory = this.targets[target]!;
        const around = [memory.subarray(0, offset), memory.subarray(offset + end - begin)];
        if (around.some((bytes) => bytes.some((byte) => byte !== 0xaa))) throw new Error('Written outside of a piece.');
        return memory.subarray(offset, offset + end - begin);
      }),
    );
  }
}

/** Does what native does with a window, and checks the rules of a request. */
export function execute(window: Window, files: readonly Buffer[], targets: readonly Buffer[]): void {
  let copy = 0;
  let last = { file: -1, end: 0 };
  for (const [chunk, bytes] of window.chunkBytes.entries()) {
    const file = window.files[window.chunkFile[chunk]!]!;
    const offset = window.chunkOffset[chunk]!;
    const { slice } = window.slices[chunk]!;
    if (bytes < 1 || bytes > 2 ** 20) throw new Error(`A chunk of ${bytes} bytes.`);
    if (slice.file !== file || offset !== slice.begin + window.chunkIndex[chunk]! * 2 ** 20) throw new Error('Not its chunk.');
    if (offset + bytes !== Math.min(slice.end, offset + 2 ** 20)) throw new Error('Not a whole chunk.');
    if (file < last.file || (file === last.file && offset < last.end)) throw new Error('Chunks that are out of order.');
    last = { file, end: offset + bytes };
    for (let left = window.chunkCopies[chunk]!; left > 0; left -= 1, copy += 1) {
      const from = window.copyFrom[copy]!;
      const count = window.copyBytes[copy]!;
      const target = targets[window.copyTarget[copy]!]!;
      if (count < 1 || from + count > bytes) throw new Error('A copy from outside of its chunk.');
      if (window.copyTo[copy]! + count > target.length) throw new Error('A copy to outside of its target.');
      files[file]!.copy(target, window.copyTo[copy], offset + from, offset + from + count);
    }
  }
  if (copy !== window.copyBytes.length) throw new Error('Copies of no chunk.');
}

/** Reads regions as a checkpoint does, but from memory. */
export async function readAll(
  stored: Stored,
  wanted: readonly Wanted[],
  memory: Memory,
  limits?: WindowLimits,
): Promise<Window[]> {
  const windows = [...cutWindows(await planSlices(wanted), limits)];
  for (const window of windows) execute(window, stored.files, memory.targets);
  return windows;
}
