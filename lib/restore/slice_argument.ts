import { invalid } from '../options/validate.js';
import { invalidArgument, quote } from '../tensor/describe.js';
import { isRecord } from '../tensor/entries.js';
import { copyDimensions, fillsGlobalShape, zeroOrigin } from '../tensor/shape.js';
import type { Region } from './boxes.js';
import { readOptionNames } from './read_options.js';
import type { Slice, SliceInfo } from './read_types.js';
import type { StoredTensor } from './stored.js';

/** Of slices as a checkpoint lists them, which can be asked for as they are. */
const sliceProperties: Readonly<Record<keyof SliceInfo, true>> = {
  origin: true,
  shape: true,
  file: true,
  bytes: true,
  digest: true,
};

function unknownProperties(name: string, unknown: readonly string[]): Error {
  const listed = unknown.map((property) => `\`${property}\``).join(', ');
  const what = `Unknown property ${listed} in the slice of tensor ${quote(name)}`;
  const option = unknown.find((property) => readOptionNames.includes(property));
  if (option === undefined) return invalid(`${what}, which has \`origin\` and \`shape\`: is it misspelt?`);
  return invalid(`${what}: options come third, as in read(name, undefined, { ${option} }).`);
}

/**
 * That an argument is a slice, and none of something else, such as options. Objects of a class may have more in them
 * than a slice needs.
 * @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` naming what is unknown
 */
export function requireSlice(name: string, slice: unknown): asserts slice is Partial<Slice> | undefined {
  if (slice === undefined) return;
  const isObject = typeof slice === 'object' && slice !== null;
  if (isObject && isRecord(slice)) {
    const unknown = Object.keys(slice).filter((property) => !Object.hasOwn(sliceProperties, property));
    if (unknown.length > 0) throw unknownProperties(name, unknown);
  } else if (!isObject || !('origin' in slice || 'shape' in slice)) {
    throw invalidArgument(`the slice of tensor ${quote(name)}`, '{ origin, shape }', slice);
  }
}

/**
 * Part of a tensor as a caller asked for it; all of it where nothing was asked.
 * @throws {SnapshardError} `INVALID_ARGUMENT`; `SHAPE_MISMATCH` for what does not lie in the tensor
 */
export function checkSlice(tensor: StoredTensor, slice: Partial<Record<keyof Slice, unknown>> | undefined): Region {
  const { name, shape: globalShape } = tensor;
  if (slice === undefined || (slice.origin === undefined && slice.shape === undefined)) {
    return { origin: zeroOrigin(globalShape.length), shape: globalShape };
  }
  const origin = copyDimensions(name, 'origin', slice.origin);
  const shape = copyDimensions(name, 'shape', slice.shape);
  fillsGlobalShape(name, { shape, globalShape, origin });
  return { origin, shape };
}
