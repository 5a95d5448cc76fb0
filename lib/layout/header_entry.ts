import { SnapshardError } from '../errors.js';
import { describe, quote } from '../tensor/describe.js';
import { type Dtype, isDtype } from '../tensor/dtype.js';
import { rankLimit, tensorBytes, zeroOrigin } from '../tensor/shape.js';
import type { JsonReader } from './json_reader.js';

/** What a header says of a tensor. */
export interface HeaderEntry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** `data_offsets`: counted from the end of the header. */
  readonly begin: number;
  readonly end: number;
}

/** Throws where there is no memory for so many entries. */
export type CountCheck = (count: number) => void;

export function corrupt(what: string): SnapshardError {
  return new SnapshardError('ERR_SNAPSHARD_CORRUPT', what);
}

interface Fields {
  dtype?: string;
  shape?: readonly number[];
  offsets?: readonly number[];
}

function readFields(reader: JsonReader, name: string): Fields {
  const fields: Fields = {};
  const once = (field: keyof Fields): void => {
    if (fields[field] !== undefined) throw corrupt(`Tensor ${quote(name)} has its ${field} twice.`);
  };
  reader.enterObject();
  for (let key = reader.nextKey(); key !== undefined; key = reader.nextKey()) {
    if (key === 'dtype') {
      once('dtype');
      fields.dtype = reader.string();
    } else if (key === 'shape') {
      once('shape');
      fields.shape = reader.counts(rankLimit);
    } else if (key === 'data_offsets') {
      once('offsets');
      fields.offsets = reader.counts(2);
    } else {
      reader.skip();
    }
  }
  return fields;
}

function bytesOf(name: string, dtype: Dtype, shape: readonly number[]): number {
  try {
    return tensorBytes(name, dtype, shape);
  } catch (cause) {
    throw cause instanceof SnapshardError ? corrupt(cause.message) : cause;
  }
}

/**
 * Reads the object that stands for a tensor. Fields that are not known are passed over.
 * @throws {SnapshardError} `ERR_SNAPSHARD_CORRUPT`, also where the bytes are not those of the shape;
 *   `ERR_SNAPSHARD_UNKNOWN_DTYPE`
 */
export function readHeaderEntry(reader: JsonReader, name: string): HeaderEntry {
  const { dtype, shape, offsets } = readFields(reader, name);
  const [begin, end] = offsets ?? [];
  if (dtype === undefined || shape === undefined || begin === undefined || end === undefined) {
    throw corrupt(`Tensor ${quote(name)} lacks one of dtype, shape and two data_offsets.`);
  }
  if (!isDtype(dtype)) {
    const message = `Tensor ${quote(name)} has the dtype ${quote(dtype)}, which this Snapshard does not know.`;
    throw new SnapshardError('ERR_SNAPSHARD_UNKNOWN_DTYPE', message);
  }
  const bytes = bytesOf(name, dtype, shape);
  if (end - begin !== bytes) {
    const found = `its data_offsets [${begin}, ${end}] hold ${end - begin}`;
    throw corrupt(`Tensor ${quote(name)}, ${dtype} of shape ${describe(shape)}, takes ${bytes} bytes, but ${found}.`);
  }
  return { name, dtype, shape: shape.length === 0 ? zeroOrigin(0) : shape, begin, end };
}
