import { SnapshardError } from '../errors.js';
import { digestBytes } from '../layout/format.js';
import type { RankManifest } from '../layout/rank_manifest_reader.js';
import { chunkBytes, type RankTensor } from '../layout/rank_tensors.js';
import type { TimeSlices } from '../layout/time_slices.js';
import { describe, quote } from '../tensor/describe.js';
import type { Dtype } from '../tensor/dtype.js';
import { sameDimensions } from '../tensor/shape.js';
import { checkSliceCount } from './slice_limit.js';
import type { StoredFile, StoredSlice, StoredTensor } from './stored.js';

/** A slice, of which a gathering makes a tensor together with others. */
export interface GatheredSlice {
  readonly name: string;
  readonly dtype: Dtype;
  /** Of the whole tensor. */
  readonly globalShape: readonly number[];
  readonly group: string;
  readonly slice: StoredSlice;
}

interface GrowingTensor extends StoredTensor {
  readonly slices: StoredSlice[];
}

const entriesBetweenChecks = 512;

function disagreement(tensor: StoredTensor, other: GatheredSlice): SnapshardError {
  const { name, dtype, globalShape: shape, group } = other;
  const found = { dtype, shape, group };
  const differs = (['dtype', 'group'] as const).find((property) => tensor[property] !== found[property]) ?? 'shape';
  const message =
    `The slices of tensor ${quote(name)} disagree on its ${differs}: ` +
    `${describe(tensor[differs])} and ${describe(found[differs])}.`;
  return new SnapshardError('ERR_SNAPSHARD_CORRUPT', message);
}

/** Puts the files and tensors of all ranks together. */
export class Gathering {
  readonly files: StoredFile[] = [];
  readonly tensors = new Map<string, GrowingTensor>();
  readonly #slices: TimeSlices;
  #count = 0;

  constructor(slices: TimeSlices) {
    this.#slices = slices;
  }

  /** @throws {SnapshardError} `ERR_SNAPSHARD_CORRUPT` where the slices of a tensor cannot be of one tensor */
  add(gathered: GatheredSlice): void {
    const { name, dtype, globalShape: shape, group, slice } = gathered;
    const known = this.tensors.get(name);
    if (known === undefined) {
      this.tensors.set(name, { name, dtype, shape, group, slices: [slice] });
      return;
    }
    const agrees = known.dtype === dtype && known.group === group && sameDimensions(known.shape, shape);
    if (!agrees) throw disagreement(known, gathered);
    known.slices.push(slice);
  }

  /**
   * All that a rank of a checkpoint of our own wrote.
   * @throws {SnapshardError} as {@link add}; `ERR_SNAPSHARD_NO_MEMORY`
   */
  async addRank({ files, tensors, digests }: RankManifest): Promise<void> {
    const firstFile = this.files.length;
    let chunk = 0;
    let next = 0;
    for (const [index, file] of files.entries()) {
      const firstChunk = chunk;
      chunk += 1;
      for (let tensor = tensors[next]; tensor?.file === index; tensor = tensors[next]) {
        this.#addTensor(tensor, { file: firstFile + index, group: file.group, chunk: chunk - firstChunk });
        chunk += Math.ceil((tensor.range[1] - tensor.range[0]) / chunkBytes);
        next += 1;
        if (next % entriesBetweenChecks === 0 && this.#slices.spent) await this.#slices.pause();
      }
      const { name: path, bytes, headerBytes, group, digest } = file;
      const chunkDigests = { path: digests.name, offset: firstChunk * digestBytes };
      this.files.push({ path, bytes, headerBytes, group, digest, chunkDigests });
    }
    this.#count += tensors.length;
    checkSliceCount(this.#count);
  }

  #addTensor(tensor: RankTensor, { file, group, chunk }: { file: number; group: string; chunk: number }): void {
    const { name, dtype, globalShape, origin, shape, digest } = tensor;
    const [begin, end] = tensor.range;
    const slice = { file, begin, end, origin, shape, digest, firstChunk: chunk };
    this.add({ name, dtype, globalShape, group, slice });
  }
}
