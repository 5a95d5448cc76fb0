import type { Dtype } from './dtype.js';
import type { FileSource } from './file_source.js';

/** Memory from `writer.allocate(bytes)`. */
export interface LeaseMemory {
  readonly bytes: number;
  readonly buffer: ArrayBuffer;
}

/** Memory of a GPU: a `CudaMemory`. */
export interface DeviceMemory {
  readonly bytes: number;
  readonly device: number;
  readonly pointer: bigint;
}

/**
 * Bytes in C order, little-endian. `Uint8Array`, `Buffer`, `DataView`, buffers, leases, device memory and files are raw
 * bytes for any dtype; any other view must match the dtype (`Uint16Array` carries U16, F16 and BF16; `Float32Array` F32 and C64).
 */
export type TensorPart = ArrayBuffer | SharedArrayBuffer | ArrayBufferView | LeaseMemory | DeviceMemory | FileSource;

/** One part, or several that follow each other. */
export type TensorData = TensorPart | readonly TensorPart[];

/** The ranks that hold the same bytes: all of the run, or those listed. */
export type Replicas = 'all' | readonly number[];

export interface Tensor {
  readonly dtype: Dtype;
  /** Elements along each dimension; `[]` is a scalar, a 0 makes the tensor empty. */
  readonly shape: readonly number[];
  readonly data: TensorData;
  /** Shape of the whole tensor, when this is a slice of it; goes with `origin`. */
  readonly globalShape?: readonly number[] | undefined;
  /** Where the slice begins in the whole tensor, in elements along each dimension. */
  readonly origin?: readonly number[] | undefined;
  /** Tensors of one group share files, named after it: `[a-z0-9][a-z0-9_-]*`. Default `model`. */
  readonly group?: string | undefined;
  /**
   * The ranks that hold these same bytes, this one included: `'all'`, or a list of different ranks in any order. Each
   * of them passes the tensor (or slice) with the same name, shape and ranks; one copy is written, divided among them.
   * Default: this rank alone has it.
   */
  readonly replicas?: Replicas | undefined;
}

/** A `Float16Array`, by what tells it: `lib` knows that name from `esnext` on only, and an unknown name is no type. */
type Float16View = ArrayBufferView & { readonly [Symbol.toStringTag]: 'Float16Array' };

export type TypedArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array
  | Float16View;

/** A tensor, or a bare typed array: a tensor of one dimension and of its own dtype. */
export type TensorInput = Tensor | TypedArray;

/**
 * Tensors by name. Only an iterable may repeat a name: the slices of one tensor, each with its own `origin`. For many
 * thousands of tensors a `Map` is the fastest to go through.
 */
export type Tensors =
  Readonly<Record<string, TensorInput>> | ReadonlyMap<string, TensorInput> | Iterable<readonly [string, TensorInput]>;

/** A slice of a tensor (mostly the whole of it) without its data: all that the layout depends on. */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** The same array as `shape` if, and only if, the slice is the whole tensor. */
  readonly globalShape: readonly number[];
  readonly origin: readonly number[];
  readonly group: string;
  /** Bytes of the slice. */
  readonly bytes: number;
  /** The ranks that hold it, if several do: `'all'`, or some of them, ascending, in an array that specs share. */
  readonly replicas?: Replicas | undefined;
}

/** A process among those that save one checkpoint together. */
export interface RankOfWorld {
  /** From 0 to `worldSize - 1`. */
  readonly rank: number;
  readonly worldSize: number;
}

export const soleRank: RankOfWorld = { rank: 0, worldSize: 1 };

export const defaultGroup = 'model';

export function isWhole(spec: TensorSpec): boolean {
  return spec.globalShape === spec.shape;
}
