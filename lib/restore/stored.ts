import type { Metadata } from '../layout/metadata.js';
import type { Dtype } from '../tensor/dtype.js';

/** A part of a tensor as it lies in a file: mostly the whole of it. */
export interface StoredSlice {
  /** Index in {@link StoredCheckpoint.files}. */
  readonly file: number;
  /** Where its bytes begin and end in that file. */
  readonly begin: number;
  readonly end: number;
  /** Index of its first element in the whole tensor along each dimension. */
  readonly origin: readonly number[];
  readonly shape: readonly number[];
  /** Digest of its chunks' digests; `undefined` where the checkpoint has none. */
  readonly digest: string | undefined;
  /** Which chunk of its file its first one is; the header is 0. */
  readonly firstChunk: number;
}

export interface StoredTensor {
  readonly name: string;
  readonly dtype: Dtype;
  /** Of the whole tensor. */
  readonly shape: readonly number[];
  readonly group: string;
  /** In no order; together they need not cover the tensor, nor be free of overlaps, where others wrote them. */
  readonly slices: readonly StoredSlice[];
}

export interface StoredFile {
  /** Below the checkpoint's directory. */
  readonly path: string;
  readonly bytes: number;
  /** Where its data begins: length word, JSON, padding. */
  readonly headerBytes: number;
  readonly group: string;
  /** Digest of all its chunks' digests, header included. */
  readonly digest: string | undefined;
  /** Where the digests of its chunks are, the header's first: 16 bytes each, from an offset in a file on. */
  readonly chunkDigests: { readonly path: string; readonly offset: number } | undefined;
}

/** A small file that is listed with its digest. */
export interface StoredSideFile {
  readonly name: string;
  readonly bytes: number;
  readonly digest: string | undefined;
}

/** Whose layout it has: our own, a safetensors file, a Hugging Face folder, or one of PyTorch DCP. */
export type CheckpointFormat = 'snapshard' | 'safetensors' | 'huggingface' | 'dcp';

/** What the manifests, or the headers of what others wrote, say: all that is known before any data is read. */
export interface StoredCheckpoint {
  readonly format: CheckpointFormat;
  /** Whether there are digests to check what is read against: in our own only. */
  readonly hasDigests: boolean;
  /** `undefined` in what others wrote. */
  readonly step: number | undefined;
  readonly time: Date | undefined;
  /** Of the manifest, which covers all else. */
  readonly digest: string | undefined;
  readonly worldSize: number | undefined;
  readonly metadata: Metadata;
  readonly files: readonly StoredFile[];
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly sideFiles: ReadonlyMap<string, StoredSideFile>;
  /** What else the manifest lists: indexes, rank manifests, files of chunk digests. None where others wrote it. */
  readonly listedFiles: ReadonlyMap<string, StoredSideFile>;
}
