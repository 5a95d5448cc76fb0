import type { TensorSpec } from '../tensor/tensor.js';

export interface PlanOptions {
  /** Tensor bytes of one file at most; a larger tensor has a file of its own. `Infinity`: one file a group. */
  readonly shardBytes: number;
}

export interface PlannedFile {
  /** Name of the shard in the step's directory. */
  readonly path: string;
  readonly group: string;
  /** Length of the file: its header and its slices. */
  readonly bytes: number;
  /** Length word, JSON and padding; a multiple of 4096 bytes. */
  readonly header: Uint8Array;
  /** Index of its first slice, and how many it holds. */
  readonly firstSlice: number;
  readonly sliceCount: number;
}

/** Which bytes go where: a pure function of the specs and the options, kept from save to save. */
export interface Plan {
  /** What it was made from, in input order. */
  readonly specs: readonly TensorSpec[];
  readonly shardBytes: number;
  /** Whether a tensor comes in several slices, so that names and headers are those of PyTorch DCP. */
  readonly sliced: boolean;
  readonly files: readonly PlannedFile[];
  /** Slices of each file. */
  readonly fileSlices: Uint32Array;
  /** Per slice, in file order: the index of its spec, its bytes, and where it begins in its file. */
  readonly order: Uint32Array;
  readonly sliceBytes: Float64Array;
  readonly sliceOffsets: Float64Array;
  /** Bytes of all files. */
  readonly bytes: number;
}

/** Segments of all slices in file order, as the native core takes them. */
export interface OrderedSegments {
  readonly segmentBytes: Float64Array;
  readonly segmentSource: Uint32Array;
  readonly segmentOffset: Float64Array;
}

/**
 * @param specs of {@link normalizeTensors}, already checked for coverage
 * @throws {SnapshardError} `ERR_SNAPSHARD_HEADER_TOO_LARGE` (one tensor alone), `ERR_SNAPSHARD_INVALID_ARGUMENT` (more
 *   than 99,999 files in a group)
 */
export function buildPlan(_specs: readonly TensorSpec[], _options: PlanOptions): Plan {
  throw new Error('being written');
}

/** Whether a plan can serve these specs, in this order, as it is. */
export function planMatches(_plan: Plan, _specs: readonly TensorSpec[], _options: PlanOptions): boolean {
  throw new Error('being written');
}
