import { constants } from 'node:buffer';
import { binding, type LeaseHandle } from '../binding.js';
import { SnapshardError } from '../errors.js';
import { toSnapshardError } from '../store/native_error.js';
import { invalidArgument } from '../tensor/describe.js';
import type { LeaseSource } from '../tensor/source.js';
import { invalid } from '../options/validate.js';

interface LeaseRecord {
  readonly bytes: number;
  readonly handle: LeaseHandle;
  disposed: boolean;
}

/** By buffer, so that any view of a lease's memory is known as such. */
const records = new WeakMap<ArrayBuffer, LeaseRecord>();

/**
 * Memory of its own, page-aligned and zeroed, which saves read with no detour, or write with no copy (`inPlace`). It is
 * outside of `stagingBytes`, outlives the writer, and goes when it is disposed or collected, and no save reads it.
 */
export class Lease {
  readonly bytes: number;
  readonly #buffer: ArrayBuffer;
  readonly #record: LeaseRecord;

  /** @internal made by {@link allocateLease} */
  constructor(buffer: ArrayBuffer, record: LeaseRecord) {
    this.bytes = record.bytes;
    this.#buffer = buffer;
    this.#record = record;
  }

  /** @throws {SnapshardError} `ERR_SNAPSHARD_CLOSED` once it is disposed */
  get buffer(): ArrayBuffer {
    if (this.#record.disposed) {
      throw new SnapshardError('ERR_SNAPSHARD_CLOSED', 'The lease is disposed: allocate another.');
    }
    return this.#buffer;
  }

  /** Detaches the buffer. Saves under way still have the bytes; the memory goes when they end. */
  dispose(): void {
    if (this.#record.disposed) return;
    this.#record.disposed = true;
    binding.disposeLease(this.#record.handle, this.#buffer);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT`, `ERR_SNAPSHARD_NO_MEMORY` */
export function allocateLease(bytes: number): Lease {
  if (!Number.isSafeInteger(bytes) || bytes < 1) {
    throw invalidArgument('the bytes of a lease', 'a positive integer', bytes);
  }
  if (bytes > constants.MAX_LENGTH) {
    const advice = 'allocate several leases, and pass a list of them as the data of the tensor';
    throw invalid(`One ArrayBuffer holds ${constants.MAX_LENGTH} bytes here, not ${bytes}: ${advice}.`);
  }
  const { handle, buffer } = allocateNative(bytes);
  const record = { bytes, handle, disposed: false };
  records.set(buffer, record);
  return new Lease(buffer, record);
}

/** The lease whose memory a buffer is, disposed or not. */
export function leaseOf(buffer: ArrayBuffer): LeaseSource | undefined {
  return records.get(buffer);
}

function allocateNative(bytes: number): { handle: LeaseHandle; buffer: ArrayBuffer } {
  try {
    return binding.allocateLease(bytes);
  } catch (error) {
    throw toSnapshardError(error, { action: `allocate a lease of ${bytes} bytes` });
  }
}
