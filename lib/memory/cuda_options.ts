import { z } from 'zod';
import type { CudaAtRequest, CudaIpcRequest } from '../binding.js';
import { cudaDeviceExpected, cudaDeviceMax } from '../options/staging_options.js';
import { integer, invalid, matching, validate } from '../options/validate.js';

/** Device memory that this process has, by its address. */
export interface CudaMemoryAt {
  /** Address of its first byte on the device, such as PyTorch's `tensor.data_ptr()`. */
  pointer: bigint;
  /** Contiguous from there on; 0 for a tensor without elements, whose pointer is not looked at. */
  bytes: number;
  /** The GPU that it is on, by its number. Default 0. */
  device?: number | undefined;
  /**
   * A `CUstream` of this process: the bytes are read or written behind all that it has been given when a save or read is
   * asked for. Default: the legacy default stream. Not together with `event`.
   */
  stream?: bigint | undefined;
  /** A `CUevent` of this process: behind what it was last recorded behind when a save or read is asked for. */
  event?: bigint | undefined;
}

/** Device memory of another process on this machine. */
export interface CudaMemoryFromIpc {
  /** The 64 bytes of a `CUipcMemHandle`, or what PyTorch's `storage._share_cuda_()` gives as its second item. */
  handle: Uint8Array;
  /** Where it begins in the allocation that the handle names; PyTorch's fourth item, and more for a part. Default 0. */
  offset?: number | undefined;
  bytes: number;
  /** The GPU that it is on, by this process's number. Default 0. */
  device?: number | undefined;
  /**
   * The 64 bytes of a `CUipcEventHandle`: the bytes are read or written behind what that event was last recorded behind
   * when a save or read is asked for. Default: the other process has waited for its device itself.
   */
  readyEvent?: Uint8Array | undefined;
}

/** What `CudaMemory.allocate` was given. */
export interface CudaAllocation {
  readonly bytes: number;
  readonly device: number;
}

const handleBytes = 64;
/** What PyTorch puts before the handle: a version, and the kind of the allocation. */
const torchPrefixBytes = 2;
const torchMalloc = 'c'.charCodeAt(0);
const torchExpandableSegment = 'e'.charCodeAt(0);

const bytes = integer(0, Number.MAX_SAFE_INTEGER, 'an integer of 0 or more');
const device = integer(0, cudaDeviceMax, cudaDeviceExpected).default(0);
const handleOf64 = 'a bigint from 0n to 2^64 - 1';
const address = 'a bigint, the address on the device,';

const atSchema = z.strictObject({
  pointer: matching<bigint>(isWord, address),
  bytes,
  device,
  stream: matching<bigint>(isWord, handleOf64).optional(),
  event: matching<bigint>((value) => isWord(value) && value !== 0n, 'a bigint from 1n to 2^64 - 1').optional(),
});

const ipcSchema = z.strictObject({
  handle: matching<Uint8Array>(isIpcHandle, 'a Uint8Array of 64 bytes, or the 66 of PyTorch,'),
  offset: integer(0, Number.MAX_SAFE_INTEGER, 'an integer of 0 or more').default(0),
  bytes,
  device,
  readyEvent: matching<Uint8Array>((value) => isBytes(value, handleBytes), 'a Uint8Array of 64 bytes').optional(),
});

const allocateSchema = z.strictObject({ bytes, device });

function isWord(value: unknown): value is bigint {
  return typeof value === 'bigint' && value === BigInt.asUintN(64, value);
}

function isBytes(value: unknown, length: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length === length;
}

/** An expandable segment is described at any length: {@link bareHandle} refuses it with its remedy. */
function isIpcHandle(value: unknown): boolean {
  if (isBytes(value, handleBytes) || isBytes(value, torchPrefixBytes + handleBytes)) return true;
  return value instanceof Uint8Array && value.length > torchPrefixBytes && value[1] === torchExpandableSegment;
}

function bareHandle(handle: Uint8Array): Uint8Array {
  if (handle.length === handleBytes) return handle;
  const kind = handle[1];
  if (kind === torchMalloc) return handle.subarray(torchPrefixBytes);
  if (kind === torchExpandableSegment) {
    throw invalid(
      'The handle is of an expandable segment of PyTorch, which cannot be opened by itself: start the trainer with ' +
        'PYTORCH_CUDA_ALLOC_CONF=expandable_segments:False.',
    );
  }
  const received = `${handle.length} bytes that begin with ${handle[0] ?? 0} and ${kind ?? 0}`;
  throw invalid(`Expected the handle of PyTorch's allocator (its second byte a "c") for \`handle\` but received ${received}.`);
}

/** @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` */
export function checkAt(options: CudaMemoryAt): CudaAtRequest {
  const checked = validate(atSchema, options, 'the options of CudaMemory.at');
  if (checked.stream !== undefined && checked.event !== undefined) {
    throw invalid('Expected either `stream` or `event` in the options of CudaMemory.at but received both.');
  }
  return { ...checked, stream: checked.stream, event: checked.event };
}

/** @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` */
export function checkFromIpc(options: CudaMemoryFromIpc): CudaIpcRequest {
  const checked = validate(ipcSchema, options, 'the options of CudaMemory.fromIpc');
  return { ...checked, handle: bareHandle(checked.handle), readyEvent: checked.readyEvent };
}

/** @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` */
export function checkAllocate(request: CudaAllocation): CudaAllocation {
  return validate(allocateSchema, request, 'the arguments of CudaMemory.allocate');
}
