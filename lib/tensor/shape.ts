import { SnapshardError } from '../errors.js';
import { describe, invalidArgument, quote } from './describe.js';
import { type Dtype, dtypeBits } from './dtype.js';

/** More dimensions than any framework gives a tensor. */
export const rankLimit = 64;

const noOrigin: readonly number[][] = Array.from(
  { length: rankLimit + 1 },
  (_, rank) => Object.freeze(new Array<number>(rank).fill(0)) as number[],
);

export function sameDimensions(left: readonly number[], right: readonly unknown[]): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index += 1) {
    if (left[index] !== right[index]) return false;
  }
  return true;
}

/** An origin of zeros, shared. */
export function zeroOrigin(rank: number): readonly number[] {
  return noOrigin[rank] ?? new Array<number>(rank).fill(0);
}

type DimensionList = 'shape' | 'globalShape' | 'origin';

function invalidDimensions(name: string, property: DimensionList, value: unknown): SnapshardError {
  const what = `\`${property}\` of tensor ${quote(name)}`;
  if (!Array.isArray(value)) return invalidArgument(what, 'a list of integers', value);
  if (value.length > rankLimit) return invalidArgument(what, `at most ${rankLimit} dimensions`, value);
  const index = value.findIndex((size) => !isSize(size));
  return invalidArgument(`dimension ${index} of ${what}`, 'an integer from 0 to 2^53 - 1', value[index]);
}

function isSize(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/**
 * A copy of a list of sizes or positions.
 * @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` unless it is a list of safe integers, none negative
 */
export function copyDimensions(name: string, property: DimensionList, value: unknown): number[] {
  if (!Array.isArray(value) || value.length > rankLimit) throw invalidDimensions(name, property, value);
  const copy = value.slice() as number[];
  for (const size of copy) {
    if (!isSize(size)) throw invalidDimensions(name, property, copy);
  }
  return copy;
}

/**
 * Bytes of a tensor. Multiplied from the left, as readers do, so an overflow is one even where a 0 follows.
 * @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` above 2^53 - 1 bytes; `ERR_SNAPSHARD_SHAPE_MISMATCH` where
 *   elements narrower than a byte do not fill whole bytes
 */
export function tensorBytes(name: string, dtype: Dtype, shape: readonly number[]): number {
  const width = dtypeBits[dtype];
  let size = width % 8 === 0 ? width / 8 : width;
  for (const dimension of shape) {
    size *= dimension;
    if (!Number.isSafeInteger(size)) {
      throw invalidArgument(`the size of tensor ${quote(name)} (${dtype})`, 'less than 2^53 bytes', shape);
    }
  }
  if (width % 8 === 0) return size;
  if (size % 8 === 0) return size / 8;
  throw new SnapshardError(
    'ERR_SNAPSHARD_SHAPE_MISMATCH',
    `Tensor ${quote(name)} of shape ${describe(shape)} takes ${size} bits in ${dtype}, which is not whole bytes.`,
  );
}

/**
 * Whether the slice is the whole tensor.
 * @throws {SnapshardError} `ERR_SNAPSHARD_SHAPE_MISMATCH` where it does not lie inside
 */
export function fillsGlobalShape(
  name: string,
  slice: { shape: readonly number[]; globalShape: readonly number[]; origin: readonly number[] },
): boolean {
  const { shape, globalShape, origin } = slice;
  const inside =
    shape.length === globalShape.length &&
    origin.length === globalShape.length &&
    globalShape.every((size, dimension) => (origin[dimension] ?? 0) + (shape[dimension] ?? 0) <= size);
  if (inside) return globalShape.every((size, dimension) => size === shape[dimension]);
  throw new SnapshardError(
    'ERR_SNAPSHARD_SHAPE_MISMATCH',
    `The slice of tensor ${quote(name)} does not lie in its global shape: shape ${describe(shape)} at origin ` +
      `${describe(origin)} of globalShape ${describe(globalShape)}. All three need the same number of dimensions.`,
  );
}
