import { SnapshardError } from '../errors.js';
import { quote } from './describe.js';

/** How the bytes of one source are reached; the values are those of the native core. */
export const enum SourceKind {
  /** An `ArrayBuffer` that JavaScript may detach or resize: read through the kernel. */
  Buffer = 0,
  /** A `Uint8Array` over a whole `SharedArrayBuffer`: read directly. */
  Shared = 1,
  /** The handle of a lease: read directly, or written in place. */
  Lease = 2,
  /** A string: the absolute path of a file, read with `pread`. */
  Path = 3,
  /** A number: an open file descriptor, duplicated at the call, read with `pread`. */
  Descriptor = 4,
  /** The handle of device memory: copied by the device. */
  Cuda = 5,
}

/** What the owner of leases knows of one: its length, and the handle under which native knows it. */
export interface LeaseSource {
  readonly bytes: number;
  readonly handle: number;
}

/** Finds the lease whose memory a buffer is, disposed or not; `undefined` for any other buffer. */
export type LeaseOf = (buffer: ArrayBuffer) => LeaseSource | undefined;

/** Device memory as native knows it. */
export interface CudaWhole {
  readonly handle: number;
  /** Where it begins on the device. */
  readonly pointer: bigint;
}

/** What the owner of device memory knows of a value: which memory it is, and which stretch of it. */
export interface CudaSource {
  readonly whole: CudaWhole;
  readonly offset: number;
  readonly bytes: number;
  readonly disposed: boolean;
}

/** Finds the device memory that a value names, disposed or not; `undefined` for anything else. */
export type CudaOf = (value: object) => CudaSource | undefined;

export type Source = ArrayBuffer | Uint8Array | number | string;

/**
 * Where the bytes of all tensors come from, in input order. Tensor `i` has the segments from `tensorSegments[i]` up to
 * `tensorSegments[i + 1]`; a segment is `segmentBytes` long (never 0) and begins at `segmentOffset` of its source.
 */
export interface SourceTable {
  /** Neighbouring segments of one buffer share its entry. Buffers are held until the table is dropped. */
  readonly sources: Source[];
  /** A {@link SourceKind} for each source. */
  readonly sourceKinds: Uint8Array;
  /** By index of its source: device memory, which goes when nobody holds it. */
  readonly cudaSources: ReadonlyMap<number, CudaWhole>;
  /** Length of each buffer when the table was made; 0 for leases, files and device memory. */
  readonly sourceBytes: readonly number[];
  /** The first tensor that reads each source. */
  readonly sourceTensors: readonly string[];
  /** One more than there are tensors. */
  readonly tensorSegments: readonly number[];
  readonly segmentSource: readonly number[];
  readonly segmentOffset: readonly number[];
  readonly segmentBytes: readonly number[];
}

function lengthNow(source: Source): number {
  if (typeof source !== 'object') return 0;
  return source instanceof Uint8Array ? source.buffer.byteLength : source.byteLength;
}

/** By absolute path: the first tensor that each file is read for. */
export function tensorsOfFiles({ sources, sourceKinds, sourceTensors }: SourceTable): Map<unknown, string> {
  const tensors = new Map<unknown, string>();
  const next = (from: number): number => sourceKinds.indexOf(SourceKind.Path, from);
  for (let index = next(0); index >= 0; index = next(index + 1)) {
    const path = sources[index];
    if (!tensors.has(path)) tensors.set(path, sourceTensors[index] ?? '');
  }
  return tensors;
}

export interface ChangedMemory {
  /** The first tensor that the buffer holds. */
  readonly tensor: string;
  /** Such as `was resized to 8 bytes (it had 16 bytes)`. */
  readonly what: string;
}

/** The first buffer that JavaScript has detached or resized since the table was made. Only those are asked. */
export function changedMemory(table: SourceTable): ChangedMemory | undefined {
  const index = table.sources.findIndex((source, position) => lengthNow(source) !== table.sourceBytes[position]);
  const source = table.sources[index];
  if (source === undefined) return undefined;
  const now = lengthNow(source);
  const what = now === 0 ? 'detached or emptied' : `resized to ${now} bytes`;
  const before = `it had ${table.sourceBytes[index] ?? 0} bytes`;
  return { tensor: table.sourceTensors[index] ?? '', what: `was ${what} (${before})` };
}

/**
 * Tells whether JavaScript has detached or resized a buffer since the table was made. Only those are asked.
 * @returns `ERR_SNAPSHARD_SOURCE_DETACHED` for the first such buffer, naming a tensor that it holds
 */
export function changedSource(table: SourceTable): SnapshardError | undefined {
  const changed = changedMemory(table);
  if (changed === undefined) return undefined;
  return new SnapshardError(
    'ERR_SNAPSHARD_SOURCE_DETACHED',
    `The buffer of tensor ${quote(changed.tensor)} ${changed.what} before the save was staged. ` +
      'Leave the sources alone until `staged` resolves.',
  );
}
