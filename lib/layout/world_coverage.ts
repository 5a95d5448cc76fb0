import { SnapshardError } from '../errors.js';
import { describe, quote } from '../tensor/describe.js';
import type { Dtype } from '../tensor/dtype.js';
import { sameDimensions } from '../tensor/shape.js';
import { BoxList } from './box_list.js';
import { findFault } from './coverage.js';
import { CoverageFault } from './coverage_fault.js';
import type { ListedFile } from './manifest.js';
import type { RankManifest } from './rank_manifest_reader.js';
import type { RankTensor } from './rank_tensors.js';
import { TimeSlices } from './time_slices.js';

/** What is known of a tensor from the ranks so far. */
interface Cover {
  readonly dtype: Dtype;
  readonly group: string;
  readonly globalShape: readonly number[];
  /** The first that listed it. */
  readonly rank: number;
  readonly boxes: BoxList;
}

interface KnownSideFile {
  readonly file: ListedFile;
  readonly rank: number;
}

export interface CheckedWorld {
  /** How many tensors there are, however many slices each has. */
  readonly tensors: number;
  /** The side files of all ranks, each once. */
  readonly sideFiles: readonly ListedFile[];
}

/** Goes through the manifests of all ranks once more, in order. */
export type ManifestsAgain = () => AsyncIterable<RankManifest>;

const entriesBetweenChecks = 512;

/**
 * Checks that what the ranks of a save wrote belongs together: no tensor lacks a part or has one twice. It keeps a few
 * boxes of each tensor, and not the manifests.
 */
export class WorldCoverage {
  readonly #covers = new Map<string, Cover>();
  readonly #sideFiles = new Map<string, KnownSideFile>();
  readonly #slices: TimeSlices;

  constructor(slices = new TimeSlices()) {
    this.#slices = slices;
  }

  /**
   * Takes in one rank after another, in order.
   * @throws {SnapshardError} `ERR_SNAPSHARD_SHAPE_MISMATCH` where slices of a tensor disagree on dtype, group or global
   *   shape; `ERR_SNAPSHARD_DUPLICATE_NAME` where two ranks brought different side files of one name
   */
  async add(manifest: RankManifest): Promise<void> {
    const { rank, files, tensors } = manifest;
    for (const file of manifest.sideFiles) this.#addSideFile(file, rank);
    for (let index = 0; index < tensors.length; index += 1) {
      const tensor = tensors[index];
      if (tensor !== undefined) this.#addTensor(tensor, files[tensor.file]?.group ?? '', rank);
      if (index % entriesBetweenChecks === 0 && this.#slices.spent) await this.#slices.pause();
    }
  }

  /**
   * To be called when all ranks have been taken in.
   * @param again asked only where something is wrong, to say which ranks it is about
   * @throws {SnapshardError} `ERR_SNAPSHARD_INCOMPLETE_TENSOR`
   */
  async finish(again: ManifestsAgain): Promise<CheckedWorld> {
    let checked = 0;
    for (const [name, cover] of this.#covers) {
      const fault = faultOf(name, cover);
      if (fault !== undefined) throw await fault.explain(again());
      checked += 1;
      if (checked % entriesBetweenChecks === 0 && this.#slices.spent) await this.#slices.pause();
    }
    return { tensors: this.#covers.size, sideFiles: Array.from(this.#sideFiles.values(), ({ file }) => file) };
  }

  #addTensor(tensor: RankTensor, group: string, rank: number): void {
    let cover = this.#covers.get(tensor.name);
    if (cover === undefined) {
      const { dtype, globalShape } = tensor;
      cover = { dtype, group, globalShape, rank, boxes: new BoxList(globalShape.length) };
      this.#covers.set(tensor.name, cover);
    }
    const agrees = tensor.dtype === cover.dtype && group === cover.group;
    if (!agrees || !sameDimensions(cover.globalShape, tensor.globalShape)) {
      throw disagreement(cover, { ...tensor, group, rank });
    }
    if (!tensor.shape.includes(0)) cover.boxes.add(tensor.origin, tensor.shape);
  }

  #addSideFile(file: ListedFile, rank: number): void {
    const known = this.#sideFiles.get(file.name);
    if (known === undefined) {
      this.#sideFiles.set(file.name, { file, rank });
      return;
    }
    const same = known.file.bytes === file.bytes && known.file.digest === file.digest;
    if (!same) throw sideFileConflict(known, file, rank);
  }
}

/** A tensor without elements lacks none, however many ranks list it. */
function faultOf(name: string, { globalShape, boxes }: Cover): CoverageFault | undefined {
  if (globalShape.includes(0)) return undefined;
  if (boxes.overlap !== undefined) return new CoverageFault(name, globalShape, { kind: 'overlap', box: boxes.overlap });
  const whole = globalShape.map((size) => ({ begin: 0, end: size }));
  const fault = findFault(boxes.boxes(), whole, 'fault');
  return fault === undefined ? undefined : new CoverageFault(name, globalShape, fault);
}

function disagreement(first: Cover, other: RankTensor & { group: string; rank: number }): SnapshardError {
  const property = (['dtype', 'group'] as const).find((name) => first[name] !== other[name]) ?? 'globalShape';
  const [here, there] = [describe(first[property]), describe(other[property])];
  const message =
    `The slices of tensor ${quote(other.name)} disagree on \`${property}\`: ` +
    `${here} on rank ${first.rank}, ${there} on rank ${other.rank}.`;
  return new SnapshardError('ERR_SNAPSHARD_SHAPE_MISMATCH', message, { ranks: [first.rank, other.rank] });
}

function sideFileConflict(known: KnownSideFile, file: ListedFile, rank: number): SnapshardError {
  const message =
    `Side file ${quote(file.name)} of rank ${rank} (${file.bytes} bytes) is not that of rank ${known.rank} ` +
    `(${known.file.bytes} bytes): give it to one rank, or the same bytes to all, or name it after the rank.`;
  return new SnapshardError('ERR_SNAPSHARD_DUPLICATE_NAME', message, { ranks: [known.rank, rank] });
}
