/**
 * The one door to the native core. Nothing else imports the add-on; nothing outside this package sees it.
 *
 * Handles are small integers, valid in the environment (main thread or worker) that made them: a wrong or closed one
 * is an error with kind `closed`, never a crash. Promises reject with a {@link NativeError}. Calls of one store run one
 * at a time, in the order made, on a thread of that store's own.
 */
import { createRequire } from 'node:module';
import { SnapshardError } from './errors.js';

export type StoreHandle = number & { readonly kind?: 'store' };
export type StagingHandle = number & { readonly kind?: 'staging' };
export type TransferHandle = number & { readonly kind?: 'transfer' };
export type ReadHandle = number & { readonly kind?: 'read' };
export type ProbeHandle = number & { readonly kind?: 'probe' };
export type CudaHandle = number & { readonly kind?: 'cuda' };
export type LeaseHandle = number & { readonly kind?: 'lease' };

/** What native rejects with: an `Error` with these fields. `errno` is positive, as in `errno.h`; 0 where none applies. */
export interface NativeError extends Error {
  kind:
    | 'system'
    | 'source-detached'
    | 'source-changed'
    | 'target-detached'
    | 'aborted'
    | 'closed'
    | 'argument'
    | 'cuda-unavailable'
    | 'cuda';
  errno: number;
  /** Symbolic name of `errno`, such as `ENOSPC` or, of kind `cuda`, `CUDA_ERROR_…`; empty where none applies. */
  errnoName: string;
  /** The system call, or function of the CUDA driver, that failed, such as `fallocate`; empty where none applies. */
  syscall: string;
  /** The path that it was about, relative to the store's root; empty where none applies. */
  path: string;
}

export type EngineChoice = 'auto' | 'io_uring' | 'pwrite';

/** A feature that was probed once, and why it is as it is. `reason` is empty when it works. */
export interface Feature {
  available: boolean;
  reason: string;
}

/** Whether there is a GPU that device memory can be saved from. */
export interface CudaFeature extends Feature {
  /** Such as `12.8`: the newest CUDA that the driver knows; empty where it is not there. */
  driverVersion: string;
  /** How many GPUs this process sees. */
  devices: number;
}

export interface NativeCapabilities {
  ioUring: Feature;
  /** Asking loads the CUDA driver, once. */
  cuda: CudaFeature;
  /** How JavaScript-owned memory is read: each step is taken where the one before is refused. */
  memoryReader: 'process_vm_readv' | '/proc/self/mem' | 'javascript-thread';
  hash: 'avx512' | 'avx2' | 'sse2' | 'scalar' | 'neon';
  kernel: string;
  pageBytes: number;
}

export interface StagingOptions {
  /** Total bytes of the pool; a multiple of `blockBytes`, at least two blocks. */
  stagingBytes: number;
  /** Bytes of one block: a power of two from 1 MiB to 64 MiB. */
  blockBytes: number;
  /** Blocks of one writer in flight at most. */
  queueDepth: number;
  /** Stager threads that may work for this writer at once. */
  threads: number;
  /** `io_uring` rejects when the kernel denies it; `auto` falls back and says why. */
  engine: EngineChoice;
  /** `false` never asks for `O_DIRECT`. */
  direct: boolean;
  /** The GPU that the pool is near, and registered with at once; else with whichever first needs it. */
  cudaDevice?: number | undefined;
}

export interface StagingRequest extends StagingOptions {
  /** Faults the pool in now, and registers it with the ring. Else its memory is taken block by block, by reads only. */
  prefault: boolean;
}

export interface StagingInfo {
  handle: StagingHandle;
  engine: 'io_uring' | 'pwrite';
  /** Why the engine is not `io_uring`, or the pool is not registered with it; empty when all is as wished. */
  engineReason: string;
}

/**
 * Files, and where their bytes come from. A file is its header followed by its slices, with no holes; a slice is one
 * tensor's bytes, hashed by itself in chunks of 1 MiB; segments cover all slices of all files in order, and none
 * crosses from one slice to the next. All byte counts and offsets are safe integers.
 */
export interface TransferRequest {
  /** Per file: its safetensors header (length word, JSON, padding); one chunk. Copied at the call. */
  headers: Uint8Array[];
  /** Per file: how many slices it holds. */
  fileSlices: Uint32Array;
  /** Per slice, in file order: its bytes (0 allowed). */
  sliceBytes: Float64Array;
  /** Per segment: its bytes (0 not allowed), its source, and the offset in that source. */
  segmentBytes: Float64Array;
  segmentSource: Uint32Array;
  segmentOffset: Float64Array;
  sources: (ArrayBuffer | Uint8Array | LeaseHandle | CudaHandle | string)[];
  /** A `SourceKind` (lib/tensor/source.ts) for each source. */
  sourceKinds: Uint8Array;
  /** Write blocks straight from leases where alignment allows. */
  inPlace: boolean;
  /** Copy device memory within the device first, where there is room. */
  deviceSnapshot: boolean;
  /** Record what becomes of each block. */
  trace: boolean;
}

/**
 * One place for each block of each file, in file order: see `SaveTrace` (lib/save/trace.ts). Times are seconds from
 * `startTransfer`; -1 where a block had no such moment.
 */
export interface TransferTrace {
  file: Uint32Array;
  offset: Float64Array;
  bytes: Uint32Array;
  thread: Uint32Array;
  gatherStartSeconds: Float64Array;
  gatherEndSeconds: Float64Array;
  copySeconds: Float64Array;
  hashSeconds: Float64Array;
  queuedSeconds: Float64Array;
  submittedSeconds: Float64Array;
  completedSeconds: Float64Array;
}

export interface TransferResult {
  /** 16 bytes a chunk (XXH3-128, canonical), in file order; each file's header chunk comes first. */
  chunkDigests: Uint8Array;
  /** 16 bytes a slice: the digest of its chunks' digests. */
  sliceDigests: Uint8Array;
  /** 16 bytes a file: the digest of all its chunks' digests, header included. */
  fileDigests: Uint8Array;
  /** Whether every file went through `O_DIRECT`, none did, or the file system does not tell; and why. */
  direct: 'yes' | 'no' | 'unknown';
  directReason: string;
  engine: 'io_uring' | 'pwrite';
  /** Why direct files were not trusted to the ring; empty where there is no such reason. */
  threadsReason: string;
  /** Whether device memory was copied within the device first; why not, or why the pool is not registered with it. */
  deviceSnapshot: boolean;
  deviceReason: string;
  /** Seconds from `startTransfer` until the last byte was staged, written, and synced. */
  stagedSeconds: number;
  writtenSeconds: number;
  durableSeconds: number;
  /** Processor seconds of the native threads from `startTransfer` until synced (other saves' included, if any ran). */
  cpuSeconds: number;
  /** If it was asked for. */
  trace?: TransferTrace;
}

export interface TransferStart {
  handle: TransferHandle;
  /** Resolves when the last source byte has been read (with `inPlace`: is on disk and unchanged). */
  staged: Promise<void>;
  /** Resolves when every file is complete, sized and synced (`fdatasync`), and closed. The handle is then gone. */
  durable: Promise<TransferResult>;
}

export interface TransferProgress {
  stagedBytes: number;
  writtenBytes: number;
}

/**
 * Pieces of files to read, where they go, and whether they are hashed. Chunks are given file by file, by ascending
 * offset, and do not overlap; neighbouring ones are read together. All byte counts and offsets are safe integers.
 */
export interface ReadRequest {
  /** Below the store. */
  paths: string[];
  /** Symbolic links are followed, also out of the store: for what others wrote. Else they are refused. */
  followLinks: boolean;
  /** Per chunk: its file, where it begins there, and its bytes: 1 to 1,048,576. */
  chunkFile: Uint32Array;
  chunkOffset: Float64Array;
  chunkBytes: Uint32Array;
  /** Whether each chunk is hashed. */
  hash: boolean;
  /** Per chunk: how many copies are made from it; 0 where it is only hashed. */
  chunkCopies: Uint32Array;
  /** Per copy, chunk by chunk: where it begins in its chunk, its bytes (not 0), its target, and where it goes there. */
  copyFrom: Uint32Array;
  copyBytes: Uint32Array;
  copyTarget: Uint32Array;
  copyTo: Float64Array;
  /**
   * An `ArrayBuffer`, a `Uint8Array` over a whole `SharedArrayBuffer`, a lease, or device memory. The last three are
   * written by native threads. `ArrayBuffer`s are written by the JavaScript thread, a block at a time: memory that was detached and freed
   * may belong to somebody else by now, and only there can nobody detach it meanwhile.
   */
  targets: (ArrayBuffer | Uint8Array | LeaseHandle | CudaHandle)[];
  /** A `SourceKind` (lib/tensor/source.ts) for each target: Buffer, Shared, Lease or Cuda. */
  targetKinds: Uint8Array;
}

export interface ReadResult {
  /** 16 bytes a chunk (XXH3-128, canonical) if they were hashed, else empty. */
  digests: Uint8Array;
  /** Bytes asked of the file system: the chunks, and what alignment added. */
  readBytes: number;
  /** Whether every file was read past the page cache, none was, or the file system does not tell; and why. */
  direct: 'yes' | 'no' | 'unknown';
  directReason: string;
  /** Why copies to a device were slower than they could be; else empty. */
  deviceReason: string;
  engine: 'io_uring' | 'pwrite';
  /** Why direct files were not trusted to the ring; empty where there is no such reason. */
  threadsReason: string;
  /** From `startRead` to the end, and processor seconds of the native threads meanwhile. */
  seconds: number;
  cpuSeconds: number;
}

export interface ReadStart {
  handle: ReadHandle;
  /**
   * Resolves when every chunk is read, hashed, and copied. Rejects with kind `system` (`ENODATA` from `read` where a file
   * ends before a chunk does), `target-detached` where JavaScript took a target away, `aborted`. The handle is then gone.
   */
  done: Promise<ReadResult>;
}

export interface ProbeResult {
  bytes: number;
  /** Whether the file was written or read past the page cache; and why not. */
  direct: 'yes' | 'no' | 'unknown';
  directReason: string;
  engine: 'io_uring' | 'pwrite';
  /** Why a direct file was not trusted to the ring; empty where there is no such reason. */
  threadsReason: string;
  /** Until the last byte was where it belongs; and, of a file that was written, until that was durable. */
  movedSeconds: number;
  seconds: number;
  /** Processor seconds of the native threads meanwhile, the store's included. */
  cpuSeconds: number;
}

export interface ProbeStart {
  handle: ProbeHandle;
  /** Resolves when all is done; rejects as the system says, or with kind `aborted`. The handle is then gone. */
  done: Promise<ProbeResult>;
}

/** Memory of this process on a GPU, and behind what its bytes are read or written: a stream, an event, or neither. */
export interface CudaAtRequest {
  device: number;
  pointer: bigint;
  bytes: number;
  stream: bigint | undefined;
  event: bigint | undefined;
}

/** Memory of another process on a GPU; handles are of 64 bytes. */
export interface CudaIpcRequest {
  device: number;
  handle: Uint8Array;
  offset: number;
  bytes: number;
  readyEvent: Uint8Array | undefined;
}

/** `pointer` is where it is for this process. */
export interface CudaStart {
  handle: CudaHandle;
  pointer: bigint;
}

export interface NativeBinding {
  /** The Node-API version that the add-on was compiled for. */
  readonly napiVersion: number;
  capabilities(): NativeCapabilities;
  /** XXH3-128, seed 0, of the bytes: 32 lower-case hexadecimal digits, big-endian. For small things: it runs here and now. */
  digest(bytes: Uint8Array): string;

  /** Opens a directory, which must exist. */
  openStore(path: string): Promise<StoreHandle>;
  /** Opens a directory below a store, which may be closed before it. Symbolic links are refused, on the way and there. */
  openStoreBelow(store: StoreHandle, path: string): Promise<StoreHandle>;
  /** Waits for the calls under way. */
  closeStore(store: StoreHandle): Promise<void>;
  /** Creates a directory, which must not exist. With `hold`, this process keeps a lock on it until it is renamed or removed. */
  makeDirectory(store: StoreHandle, path: string, hold: boolean): Promise<void>;
  /** Creates files, which must not exist, in one go: writes all, then syncs each. The contents are read meanwhile. */
  writeFiles(store: StoreHandle, paths: string[], contents: Uint8Array[]): Promise<void>;
  /** Reads a whole file; one longer than `maxBytes` is an error (`EFBIG`). */
  readFile(store: StoreHandle, path: string, maxBytes: number): Promise<Uint8Array>;
  /** The last `maxBytes` of a file; all of a shorter one. */
  readTail(store: StoreHandle, path: string, maxBytes: number): Promise<Uint8Array>;
  /** The digest of a file, hashed piece by piece, and its length; one longer than `maxBytes` is an error (`EFBIG`). */
  digestFile(store: StoreHandle, path: string, maxBytes: number): Promise<{ digest: string; bytes: number }>;
  /** Names in a directory (`''` is the root) that begin with one of the prefixes (all, where there are none), reopened for each call, in no order. */
  list(store: StoreHandle, path: string, prefixes: string[]): Promise<string[]>;
  /** Bytes of the regular files in a directory and below. Links and what is mounted there are left out. */
  countBytes(store: StoreHandle, path: string): Promise<number>;
  /** Creates a file, which must not exist. Resolves to a descriptor, open for writing, for the caller to close. */
  createFile(store: StoreHandle, path: string): Promise<number>;
  /** Renames, and never replaces: a taken name is `EEXIST` (or `ENOTEMPTY`). Gives up the hold on `from`. */
  rename(store: StoreHandle, from: string, to: string): Promise<void>;
  /** `fsync` of directories (`''` is the root). */
  syncDirectories(store: StoreHandle, paths: string[]): Promise<void>;
  /** Unlinks a file or a whole directory; one that is not there is no error. Never follows symbolic links; what is mounted there stays, and is `EBUSY`. */
  removeTree(store: StoreHandle, path: string): Promise<void>;
  /**
   * Renames the directory `from` to `to` if no live process holds it; where locks do not tell, as on NFS, if nothing
   * in it changed for `idleSeconds`. Resolves to whether it did.
   */
  reclaim(store: StoreHandle, from: string, to: string, idleSeconds: number): Promise<boolean>;

  /** Maps the pool and asks for huge pages. */
  createStaging(request: StagingRequest): Promise<StagingInfo>;
  /** Waits for the transfers that use it. */
  closeStaging(staging: StagingHandle): Promise<void>;

  /** Memory of its own, page-aligned, zeroed. Throws a {@link NativeError} when there is none. */
  allocateLease(bytes: number): { handle: LeaseHandle; buffer: ArrayBuffer };
  /** Detaches the buffer; the memory goes when the transfers that read it end. */
  disposeLease(lease: LeaseHandle, buffer: ArrayBuffer): void;

  /** These throw a {@link NativeError}: `cuda-unavailable`, `cuda`, or `argument` for what is no such memory. */
  cudaMemoryAt(request: CudaAtRequest): CudaStart;
  cudaMemoryFromIpc(request: CudaIpcRequest): CudaStart;
  allocateCuda(device: number, bytes: number): CudaStart;
  /** What is ours of it goes when the transfers and reads that use it have ended. */
  releaseCuda(memory: CudaHandle): void;

  /** Starts to stage at once; nothing is written before {@link openFiles}. Transfers of one staging are staged in order. */
  startTransfer(staging: StagingHandle, request: TransferRequest): TransferStart;
  /** Creates the files (one path for each header of the request) below `store`, and lets writing begin. */
  openFiles(transfer: TransferHandle, store: StoreHandle, paths: string[]): void;
  /** Stops as soon as what is in flight has landed; both promises then reject with kind `aborted`. No effect after that. */
  abortTransfer(transfer: TransferHandle): void;
  /** `undefined` once the transfer has ended. */
  transferProgress(transfer: TransferHandle): TransferProgress | undefined;

  /**
   * Reads through the pool and the queue of a staging (of blocks of at least 2 MiB), or straight into leases where
   * alignment allows. Reads of one staging go on in order.
   */
  startRead(staging: StagingHandle, store: StoreHandle, request: ReadRequest): ReadStart;
  /** Stops as soon as what is in flight has landed; `done` then rejects with kind `aborted`. No effect after that. */
  abortRead(read: ReadHandle): void;
  /** Bytes of chunks dealt with so far; `undefined` once it has ended. */
  readProgress(read: ReadHandle): number | undefined;

  /**
   * Writes `bytes` into a new file of this name in `store`, which stays there, and makes both durable; or reads a whole
   * file. Nothing is copied or hashed. The staging must be nobody else's, and says how it is done; up to `queueDepth` of
   * its blocks are used, filled with random bytes before the clock starts.
   */
  startFileProbe(
    staging: StagingHandle,
    store: StoreHandle,
    operation: 'write' | 'read',
    name: string,
    bytes: number,
  ): ProbeStart;
  /** Copies `bytes` from one half of the staging's memory to the other, with its `threads`. */
  startCopyProbe(staging: StagingHandle, bytes: number): ProbeStart;
  /** Stops as soon as what is in flight has landed; `done` then rejects with kind `aborted`. No effect after that. */
  abortProbe(probe: ProbeHandle): void;
}

function load(): NativeBinding {
  const path = new URL('../build/Release/snapshard.node', import.meta.url).pathname;
  try {
    return createRequire(import.meta.url)(path) as NativeBinding;
  } catch (cause) {
    throw new SnapshardError('ERR_SNAPSHARD_NATIVE_MISSING', remedy(path, cause), { cause, path });
  }
}

function remedy(path: string, cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  if (process.platform !== 'linux') return `Snapshard runs on Linux; this is ${process.platform}.`;
  if (/Cannot find module|no such file/i.test(text)) {
    return `The native add-on is not built (${path}). Run \`npm run build:native\`; it needs a C++20 compiler and CMake.`;
  }
  if (text.includes('could not start a thread')) return `${text}. Let this process have more threads (\`ulimit -u\`, or pids.max of its cgroup).`;
  return `The native add-on ${path} does not load: ${text}. Rebuild it on this machine with \`npm run build:native\`.`;
}

export const binding: NativeBinding = load();
