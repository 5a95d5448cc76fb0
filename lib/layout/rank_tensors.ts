import { SnapshardError } from '../errors.js';
import { invalidArgument, quote } from '../tensor/describe.js';
import { type Dtype, isDtype } from '../tensor/dtype.js';
import { validateTensorName } from '../tensor/name.js';
import { fillsGlobalShape, tensorBytes } from '../tensor/shape.js';
import { isDigest, requireDigest, requireRecord } from './fields.js';

/** A slice of a tensor, as a rank manifest lists it. */
export interface RankTensor {
  readonly name: string;
  readonly dtype: Dtype;
  readonly globalShape: readonly number[];
  readonly origin: readonly number[];
  readonly shape: readonly number[];
  /** Index of its file. */
  readonly file: number;
  /** Where its bytes begin and end in that file. */
  readonly range: readonly [begin: number, end: number];
  readonly digest: string;
}

interface FileExtent {
  readonly name: string;
  readonly bytes: number;
  readonly headerBytes: number;
}

const dimensionsMax = 64;
export const chunkBytes = 1024 * 1024;

function isIntegers(value: unknown, lengthMax: number): value is readonly number[] {
  if (!Array.isArray(value) || value.length > lengthMax) return false;
  for (const item of value as unknown[]) {
    if (!Number.isSafeInteger(item) || (item as number) < 0) return false;
  }
  return true;
}

function checkDimensions(name: string, property: string, value: unknown): asserts value is readonly number[] {
  if (isIntegers(value, dimensionsMax)) return;
  throw invalidArgument(`\`${property}\` of ${quote(name)}`, `at most ${dimensionsMax} safe integers`, value);
}

/** Checks the tensors of a rank manifest, in order: together they must fill its files without holes. */
export class TensorListCheck {
  readonly #files: readonly FileExtent[];
  #file = 0;
  /** Where the next tensor of the file must begin. */
  #position: number;
  #chunks: number;

  constructor(files: readonly FileExtent[]) {
    this.#files = files;
    this.#position = files[0]?.headerBytes ?? 0;
    this.#chunks = files.length;
  }

  /** @throws {SnapshardError} telling what is wrong with it */
  add(value: unknown): void {
    const { name, dtype, globalShape, origin, shape, file, range, digest } = requireRecord(value, 'a tensor');
    validateTensorName(name);
    if (!isDtype(dtype)) throw invalidArgument(`\`dtype\` of ${quote(name)}`, 'one that safetensors knows', dtype);
    checkDimensions(name, 'globalShape', globalShape);
    checkDimensions(name, 'origin', origin);
    checkDimensions(name, 'shape', shape);
    fillsGlobalShape(name, { shape, globalShape, origin });
    this.#enter(name, file);
    this.#place(name, range, tensorBytes(name, dtype, shape));
    if (!isDigest(digest)) requireDigest(digest, `\`digest\` of ${quote(name)}`);
  }

  /** @returns how many chunks the files have, headers included */
  finish(): number {
    while (this.#file < this.#files.length) this.#leave();
    return this.#chunks;
  }

  #enter(name: string, file: unknown): void {
    if (file === this.#file && file < this.#files.length) return;
    const known = Number.isSafeInteger(file) && (file as number) < this.#files.length;
    if (!known || (file as number) < this.#file) {
      const expected = `one of ${this.#files.length} files, in their order,`;
      throw invalidArgument(`\`file\` of ${quote(name)}`, expected, file);
    }
    while (this.#file < (file as number)) this.#leave();
  }

  #place(name: string, range: unknown, bytes: number): void {
    if (!isIntegers(range, 2) || range[0] !== this.#position || range[1] !== this.#position + bytes) {
      const expected = `[${this.#position}, ${this.#position + bytes}], by what comes before it and its shape,`;
      throw invalidArgument(`\`range\` of ${quote(name)}`, expected, range);
    }
    this.#position += bytes;
    this.#chunks += Math.ceil(bytes / chunkBytes);
  }

  #leave(): void {
    const { name = '', bytes = 0 } = this.#files[this.#file] ?? {};
    if (this.#position !== bytes) {
      const message = `The tensors of ${quote(name)} end at byte ${this.#position}, but the file at ${bytes}.`;
      throw new SnapshardError('ERR_SNAPSHARD_CORRUPT', message);
    }
    this.#file += 1;
    this.#position = this.#files[this.#file]?.headerBytes ?? 0;
  }
}
