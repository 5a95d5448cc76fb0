import { join } from 'node:path';
import { SnapshardError } from '../errors.js';
import type { HeaderTensor } from '../layout/header_reader.js';
import { chunkBytes } from '../layout/rank_tensors.js';
import type { TimeSlices } from '../layout/time_slices.js';
import { describe, quote } from '../tensor/describe.js';
import type { Dtype } from '../tensor/dtype.js';
import { defaultGroup } from '../tensor/tensor.js';
import type { ForeignShard } from './foreign_files.js';
import { checkSliceCount } from './slice_limit.js';
import type { CheckpointFormat, StoredCheckpoint, StoredFile, StoredSlice } from './stored.js';

/** A tensor of which more slices may come. */
interface GrowingTensor {
  readonly name: string;
  readonly dtype: Dtype;
  /** As far as its slices reach. */
  shape: readonly number[];
  readonly group: string;
  readonly slices: StoredSlice[];
}

const entriesBetweenChecks = 512;

const endOf = ({ shape, origin }: HeaderTensor): number[] => shape.map((size, at) => size + (origin[at] ?? 0));

/** Puts the tensors of safetensors files together that others wrote. */
export class ForeignGathering {
  readonly tensors = new Map<string, GrowingTensor>();
  readonly #folder: string;
  readonly #slices: TimeSlices;
  readonly #files: StoredFile[] = [];
  /** Whether the slices of each file say where in their tensors they are. */
  readonly #sharded: boolean[] = [];
  /** What all files so far say in `__metadata__`. */
  #metadata: ReadonlyMap<string, string> | undefined;
  #count = 0;

  constructor(folder: string, slices: TimeSlices) {
    this.#folder = folder;
    this.#slices = slices;
  }

  /** Whether any file so far says where its slices are in their tensors. */
  get sharded(): boolean {
    return this.#sharded.includes(true);
  }

  /**
   * @param select which of the file's tensors count; default: all
   * @throws {SnapshardError} `ERR_SNAPSHARD_DUPLICATE_NAME`, `ERR_SNAPSHARD_CORRUPT` where tensors of one name are not
   *   slices of one tensor; `ERR_SNAPSHARD_NO_MEMORY`
   */
  async add({ name, bytes, header }: ForeignShard, select?: (tensor: HeaderTensor) => boolean): Promise<void> {
    const file = this.#files.length;
    const { headerBytes, sharded, tensors } = header;
    const noDigests = { digest: undefined, chunkDigests: undefined };
    this.#files.push({ path: name, bytes, headerBytes, group: defaultGroup, ...noDigests });
    this.#sharded.push(sharded);
    this.#agreeOn(header.metadata);
    let firstChunk = 1;
    for (const [index, tensor] of tensors.entries()) {
      if (select === undefined || select(tensor)) this.#addTensor(tensor, file, firstChunk);
      firstChunk += Math.ceil((tensor.end - tensor.begin) / chunkBytes);
      if (index % entriesBetweenChecks === 0 && this.#slices.spent) await this.#slices.pause();
    }
    checkSliceCount(this.#count);
  }

  finish(format: CheckpointFormat): StoredCheckpoint {
    return {
      ...{ format, hasDigests: false, step: undefined, time: undefined, digest: undefined, worldSize: undefined },
      metadata: Object.fromEntries(this.#metadata ?? []),
      ...{ files: this.#files, tensors: this.tensors, sideFiles: new Map(), listedFiles: new Map() },
    };
  }

  #agreeOn(metadata: ReadonlyMap<string, string>): void {
    const known = this.#metadata ?? metadata;
    this.#metadata = new Map([...known].filter(([key, value]) => metadata.get(key) === value));
  }

  #addTensor(tensor: HeaderTensor, file: number, firstChunk: number): void {
    const { name, dtype, begin, end, origin, shape } = tensor;
    const slice = { file, begin, end, origin, shape, digest: undefined, firstChunk };
    this.#count += 1;
    const known = this.tensors.get(name);
    if (known === undefined) {
      this.tensors.set(name, { name, dtype, shape: endOf(tensor), group: defaultGroup, slices: [slice] });
      return;
    }
    this.#checkSlice(known, tensor, file);
    known.shape = endOf(tensor).map((size, at) => Math.max(size, known.shape[at] ?? 0));
    known.slices.push(slice);
  }

  #checkSlice(known: GrowingTensor, { name, dtype, shape }: HeaderTensor, file: number): void {
    const first = known.slices[0]?.file ?? 0;
    const files = [first, file].map((at) => quote(this.#files[at]?.path ?? '')).join(' and ');
    const where = `Tensor ${quote(name)} is in both ${files} of ${this.#folder}`;
    if (this.#sharded[first] !== true || this.#sharded[file] !== true) {
      throw new SnapshardError(
        'ERR_SNAPSHARD_DUPLICATE_NAME',
        `${where}, which do not say that these are slices of it. Open one of the files by its own path.`,
        { path: join(this.#folder, this.#files[file]?.path ?? '') },
      );
    }
    if (dtype === known.dtype && shape.length === known.shape.length) return;
    const found = [known.dtype, dtype].join(' and ');
    const shapes = [known.slices[0]?.shape, shape].map(describe).join(' and ');
    const message = `${where}, but not as slices of one tensor: ${found}, of shapes ${shapes}.`;
    throw new SnapshardError('ERR_SNAPSHARD_CORRUPT', message, { path: this.#folder });
  }
}
