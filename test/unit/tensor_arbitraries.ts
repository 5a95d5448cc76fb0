import fc from 'fast-check';
import { type Dtype, dtypeBits, dtypes } from '../../lib/tensor/dtype.js';
import type { Tensor } from '../../lib/tensor/tensor.js';

/** Around the edges of sectors, pages and chunks. */
export const boundaryBytes = [0, 1, 511, 512, 4095, 4096, 4097, 2 ** 20 - 1, 2 ** 20, 2 ** 20 + 1];

const awkwardNames = [
  '__proto__',
  'constructor',
  '"',
  '\\',
  '\n',
  '\u007f',
  '\u2028',
  '😀',
  'ß',
  '0',
  '10',
  '2',
  'a/b.c',
];

/** JSON.parse of Node 24 reads a key of one escaped character, such as `"\n"`, as a backslash. */
const isReadByAll = (name: string): boolean => name.length > 1 || JSON.stringify(name).length === 3;

/** Any well-formed name that a tensor may have, awkward ones included. */
export const tensorName: fc.Arbitrary<string> = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 24 }),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }),
    fc.array(fc.constantFrom(...awkwardNames), { minLength: 1, maxLength: 2 }).map((names) => names.join('')),
  )
  .filter((name) => !name.includes('\0') && name !== '__metadata__' && isReadByAll(name));

export const group: fc.Arbitrary<string> = fc.constantFrom('model', 'optimizer', 'ema-1', 'a_b');

function wholeBytes(dtype: Dtype, shape: readonly number[]): number {
  return (shape.reduce((product, size) => product * size, 1) * dtypeBits[dtype]) / 8;
}

/** Bytes somewhere in a buffer, such that those of another place or seed look different. */
export function patternBytes(bytes: number, seed: number): Uint8Array<ArrayBuffer> {
  const pattern = new Uint8Array(new ArrayBuffer(seed + bytes + 3), seed, bytes);
  for (let index = 0; index < bytes; index += 1) pattern[index] = (index * 31 + (index >> 8) * 7 + seed * 101) & 255;
  return pattern;
}

/** A small tensor of any dtype, as raw bytes. */
export const smallTensor: fc.Arbitrary<Tensor> = fc
  .record({
    dtype: fc.constantFrom(...dtypes),
    shape: fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 4 }),
    group,
    seed: fc.nat(255),
  })
  .map(({ dtype, shape, group, seed }) => {
    const bytes = wholeBytes(dtype, shape);
    const fitting = Number.isInteger(bytes) ? shape : [...shape, 4];
    return { dtype, shape: fitting, group, data: patternBytes(wholeBytes(dtype, fitting), seed) };
  });

/** A tensor whose size lies around a boundary. */
export const boundaryTensor: fc.Arbitrary<Tensor> = fc
  .record({ bytes: fc.constantFrom(...boundaryBytes.filter((bytes) => bytes < 2 ** 20)), group, seed: fc.nat(255) })
  .map(({ bytes, group, seed }) => ({ dtype: 'U8', shape: [bytes], group, data: patternBytes(bytes, seed) }));

export const tensorMap: fc.Arbitrary<Map<string, Tensor>> = fc
  .uniqueArray(fc.tuple(tensorName, fc.oneof({ weight: 3, arbitrary: smallTensor }, boundaryTensor)), {
    selector: ([name]) => name,
    maxLength: 30,
  })
  .map((entries) => new Map(entries));
