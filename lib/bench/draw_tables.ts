/** Tables that turn random words into numbers like those of a training run. */
import { plainTables, randomWords, startRandom, type DrawTables } from './random_words.js';

export type Values =
  'bits' | 'booleans' | 'bf16 weights' | 'fp16 weights' | 'fp32 weights' | 'first moments' | 'second moments';

const tableEntries = 1 << 16;
const weightDeviation = 0.02;
const momentDeviation = 1e-4;
/** Moments of different weights differ in size by orders of magnitude: this is the deviation of their logarithm. */
const momentSpread = 1.5;

/** Of kinds of values that have been asked for. */
const made = new Map<Values, DrawTables>();

export function drawTables(values: Values): DrawTables {
  let tables = made.get(values);
  if (tables === undefined) made.set(values, (tables = makers[values]()));
  return tables;
}

const makers: Record<Values, () => DrawTables> = {
  bits: plainTables,
  booleans: () => inHalves(Uint32Array.from({ length: tableEntries }, (_, index) => index & 0x0101)),
  'bf16 weights': () => inHalves(floatBits(weights()).map(toBfloat16)),
  'fp16 weights': () => inHalves(floatBits(weights()).map(toFloat16)),
  'fp32 weights': () => inWords(weights()),
  'first moments': () => inWords(moments()),
  'second moments': () => inWords(moments().map((value) => value ** 2)),
};

/** Both halves of a word are numbers of 16 bits. */
function inHalves(bits: Uint32Array): DrawTables {
  return { low: bits, high: bits.map((value) => value << 16) };
}

/** A word is one number of 32 bits; the low bits of its mantissa are random, as they are in life. */
function inWords(values: Float32Array): DrawTables {
  return { low: floatBits(values), high: plainTables().low };
}

function weights(): Float32Array {
  return normals(1).map((value) => value * weightDeviation);
}

function moments(): Float32Array {
  const exponents = normals(3);
  return normals(2).map((value, index) => value * momentDeviation * Math.exp(momentSpread * exponents[index]!));
}

/** By the method of Box and Muller. */
function normals(stream: number): Float32Array {
  const words = new Uint32Array(2 * tableEntries);
  randomWords(startRandom(new Uint32Array(3), stream), words, plainTables());
  const uniform = (index: number): number => (words[index]! + 0.5) / 2 ** 32;
  return Float32Array.from({ length: tableEntries }, (_, index) => {
    return Math.sqrt(-2 * Math.log(uniform(2 * index))) * Math.cos(2 * Math.PI * uniform(2 * index + 1));
  });
}

function floatBits(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

/** Round to nearest, ties to even. Never given a NaN here. */
function toBfloat16(bits: number): number {
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** Rounds half up; what is too small for fp16's normal numbers becomes zero. Never given what is too large for them. */
function toFloat16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const rebased = (bits & 0x7fffffff) - ((127 - 15) << 23) + 0x1000;
  return sign | (rebased < 1 << 23 ? 0 : rebased >>> 13);
}
