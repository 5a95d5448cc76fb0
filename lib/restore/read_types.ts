import type { Dtype } from '../tensor/dtype.js';
import type { DeviceMemory, LeaseMemory } from '../tensor/tensor.js';

/** Memory that tensor bytes are written to: as for saves, raw bytes for any dtype, or a view that carries the dtype. */
export type TargetPart = ArrayBuffer | SharedArrayBuffer | ArrayBufferView | LeaseMemory | DeviceMemory;

/** One part, or several that the bytes fill one after the other. */
export type TargetData = TargetPart | readonly TargetPart[];

/** Part of a tensor, in elements along each dimension. */
export interface Slice {
  readonly origin: readonly number[];
  readonly shape: readonly number[];
}

/** Where part of a tensor goes, in C order. */
export interface SliceTarget extends Slice {
  readonly data: TargetData;
}

export type Target = TargetData | SliceTarget;

/** Targets by the name of their tensor. An iterable may repeat a name: several slices of one tensor. */
export type Targets = Readonly<Record<string, Target>> | ReadonlyMap<string, Target> | Iterable<readonly [string, Target]>;

/** A tensor, or a slice of one, in memory of its own. */
export interface ReadTensor {
  readonly dtype: Dtype;
  /** Of what was read. */
  readonly shape: readonly number[];
  /** C order, little-endian. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** Whether each byte was compared with its digest: not with `verify: false`, nor where there are no digests. */
  readonly verified: boolean;
}

/** How a read went. */
export interface ReadReport {
  /** Bytes that were written to the targets. */
  readonly bytes: number;
  /** Bytes asked of the file system: whole chunks of 1 MiB, and what alignment added. */
  readonly readBytes: number;
  /** As in {@link ReadTensor}. */
  readonly verified: boolean;
  readonly engine: 'io_uring' | 'pwrite';
  /** Why the engine is not io_uring as it could be; empty when it is. */
  readonly engineReason: string;
  /** Whether the files were read past the page cache; `unknown` where the file system does not tell. */
  readonly direct: 'yes' | 'no' | 'unknown';
  readonly directReason: string;
  /** Why copies to a GPU were not at the full rate; empty when they were, or there were none. */
  readonly deviceReason: string;
  readonly seconds: number;
  /** Processor seconds of the native threads meanwhile. */
  readonly cpuSeconds: number;
}

/** A slice of a tensor as it lies in a file. */
export interface SliceInfo extends Slice {
  /** Name of its file in the checkpoint. */
  readonly file: string;
  readonly bytes: number;
  /** 32 hexadecimal digits, equal for equal slices; `undefined` where there are no digests. */
  readonly digest: string | undefined;
}

/** What a checkpoint tells of a tensor without reading it. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: Dtype;
  /** Of the whole tensor. */
  readonly shape: readonly number[];
  readonly group: string;
  /** Of the whole tensor. */
  readonly bytes: number;
  readonly slices: readonly SliceInfo[];
}

/** A side file, as the manifest lists it. */
export interface SideFileInfo {
  readonly name: string;
  readonly bytes: number;
  readonly digest: string | undefined;
}

/** Bytes that are not what they were saved as, or not there. */
export interface Damage {
  /** Name of the file in the checkpoint. */
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
  /** The tensor that they are of; `undefined` for headers and files without tensors. */
  readonly tensor: string | undefined;
  readonly reason: string;
}

export interface VerifyProgress {
  readonly bytes: number;
  readonly totalBytes: number;
}

/** What `verify` found. */
export interface VerifyReport {
  /** Bytes that were read: shards, side files and manifests. */
  readonly bytes: number;
  /** Chunks of shards, headers included. */
  readonly chunks: number;
  readonly files: number;
  /** Whether there are digests; if not, only lengths and headers were checked, and that all of it can be read. */
  readonly hasDigests: boolean;
  /** By file and offset; empty where everything is as it was saved. */
  readonly damaged: readonly Damage[];
}
