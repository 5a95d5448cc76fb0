import { SnapshardError, type SnapshardErrorCode } from '../errors.js';
import { invalidArgument, quote } from './describe.js';
import { FileSource } from './file_source.js';
import { type CudaOf, type CudaSource, type CudaWhole, type LeaseOf, type Source, SourceKind, type SourceTable } from './source.js';
import { viewBuffer, viewRange } from './view.js';

/** What memory is gathered for, and how messages name it. */
export interface MemoryUse {
  /** What each part of the data may be. */
  readonly expected: string;
  /** The code of memory that JavaScript has taken away. */
  readonly detached: SnapshardErrorCode;
}

export const usedAsSource: MemoryUse = {
  expected:
    'an ArrayBuffer, a SharedArrayBuffer, a view, a lease of an open writer, a CudaMemory, a fileSource(), or a list of these,',
  detached: 'ERR_SNAPSHARD_SOURCE_DETACHED',
};

/** Buffers of other realms included, which `instanceof` alone would miss. */
const isOfClass = (value: object, name: string): boolean =>
  Object.prototype.toString.call(value) === `[object ${name}]`;

function isArrayBuffer(value: object): value is ArrayBuffer {
  return value instanceof ArrayBuffer || isOfClass(value, 'ArrayBuffer');
}

function isShared(value: object): value is SharedArrayBuffer {
  return !(value instanceof ArrayBuffer) && isOfClass(value, 'SharedArrayBuffer');
}

/** Node 20 has no `ArrayBuffer.prototype.detached`. */
function isDetached(buffer: ArrayBufferLike): boolean {
  if (buffer.byteLength !== 0) return false;
  try {
    return new Uint8Array(buffer).byteLength !== 0;
  } catch {
    return true;
  }
}

/** Gathers the segments of tensors, one after the other, into a {@link SourceTable}. */
export class SourceCollector {
  readonly #leaseOf: LeaseOf;
  readonly #cudaOf: CudaOf;
  readonly #use: MemoryUse;
  readonly #sources: Source[] = [];
  readonly #kinds: SourceKind[] = [];
  readonly #lengths: number[] = [];
  readonly #tensors: string[] = [];
  readonly #cudaSources = new Map<number, CudaWhole>();
  readonly #tensorSegments: number[] = [0];
  readonly #segmentSource: number[] = [];
  readonly #segmentOffset: number[] = [];
  readonly #segmentBytes: number[] = [];
  /** The buffer, path or descriptor that the last source stands for. */
  #lastOrigin: unknown;

  constructor(leaseOf: LeaseOf, use: MemoryUse = usedAsSource, cudaOf: CudaOf = () => undefined) {
    this.#leaseOf = leaseOf;
    this.#cudaOf = cudaOf;
    this.#use = use;
  }

  /** Adds one part of a tensor's data and returns its bytes. */
  addPart(name: string, part: unknown): number {
    if (ArrayBuffer.isView(part)) return this.#addView(name, part);
    if (part instanceof FileSource && this.#use === usedAsSource) return this.#addFile(name, part);
    if (typeof part !== 'object' || part === null) throw this.#unusable(name, part);
    if (isArrayBuffer(part) || isShared(part)) return this.#addMemory(name, part, 0, part.byteLength);
    const cuda = this.#cudaOf(part);
    if (cuda !== undefined) return this.#addCuda(name, cuda);
    const buffer: unknown = (part as { buffer?: unknown }).buffer;
    if (typeof buffer !== 'object' || buffer === null || !isArrayBuffer(buffer)) throw this.#unusable(name, part);
    const lease = this.#leaseOf(buffer);
    if (lease === undefined) throw this.#unusable(name, part);
    return this.#addMemory(name, buffer, 0, lease.bytes);
  }

  /** Ends the list of segments of one tensor. */
  endTensor(): void {
    this.#tensorSegments.push(this.#segmentSource.length);
  }

  finish(): SourceTable {
    return {
      sources: this.#sources,
      sourceKinds: new Uint8Array(this.#kinds),
      cudaSources: this.#cudaSources,
      sourceBytes: this.#lengths,
      sourceTensors: this.#tensors,
      tensorSegments: this.#tensorSegments,
      segmentSource: this.#segmentSource,
      segmentOffset: this.#segmentOffset,
      segmentBytes: this.#segmentBytes,
    };
  }

  #addView(name: string, view: ArrayBufferView): number {
    const memory = viewBuffer(view);
    const range = viewRange(view);
    if (range === undefined) throw this.#detached(name, memory);
    return this.#addMemory(name, memory, range.offset, range.bytes);
  }

  #addMemory(name: string, memory: ArrayBufferLike, offset: number, bytes: number): number {
    if (memory !== this.#lastOrigin) {
      if (bytes === 0) {
        if (isDetached(memory)) throw this.#detached(name, memory);
        return 0;
      }
      this.#addMemorySource(name, memory);
    }
    return this.#addSegment(offset, bytes);
  }

  #addMemorySource(name: string, memory: ArrayBufferLike): void {
    if (isShared(memory)) {
      const whole = new Uint8Array(memory, 0, memory.byteLength);
      this.#addSource(name, memory, SourceKind.Shared, whole, memory.byteLength);
      return;
    }
    const lease = this.#leaseOf(memory);
    if (lease === undefined) {
      this.#addSource(name, memory, SourceKind.Buffer, memory, memory.byteLength);
    } else if (lease.bytes === memory.byteLength) {
      this.#addSource(name, memory, SourceKind.Lease, lease.handle, 0);
    } else {
      throw this.#detached(name, memory);
    }
  }

  #addCuda(name: string, { whole, offset, bytes, disposed }: CudaSource): number {
    if (disposed) {
      const advice = 'Name the memory anew, and dispose of it after the call.';
      throw new SnapshardError('ERR_SNAPSHARD_CLOSED', `The CudaMemory of tensor ${quote(name)} is disposed. ${advice}`);
    }
    if (bytes > 0 && whole !== this.#lastOrigin) {
      this.#cudaSources.set(this.#sources.length, whole);
      this.#addSource(name, whole, SourceKind.Cuda, whole.handle, 0);
    }
    return this.#addSegment(offset, bytes);
  }

  #addFile(name: string, { file, offset, bytes }: FileSource): number {
    if (bytes === 0) return 0;
    const kind = typeof file === 'string' ? SourceKind.Path : SourceKind.Descriptor;
    if (file !== this.#lastOrigin) this.#addSource(name, file, kind, file, 0);
    return this.#addSegment(offset, bytes);
  }

  #addSource(name: string, origin: unknown, kind: SourceKind, source: Source, bytes: number): void {
    this.#lastOrigin = origin;
    this.#sources.push(source);
    this.#kinds.push(kind);
    this.#lengths.push(bytes);
    this.#tensors.push(name);
  }

  #addSegment(offset: number, bytes: number): number {
    if (bytes === 0) return 0;
    this.#segmentSource.push(this.#sources.length - 1);
    this.#segmentOffset.push(offset);
    this.#segmentBytes.push(bytes);
    return bytes;
  }

  #unusable(name: string, part: unknown): SnapshardError {
    return invalidArgument(`\`data\` of tensor ${quote(name)}`, this.#use.expected, part);
  }

  #detached(name: string, memory: ArrayBufferLike): SnapshardError {
    if (!isShared(memory) && this.#leaseOf(memory) !== undefined) {
      return new SnapshardError(
        'ERR_SNAPSHARD_CLOSED',
        `The lease that holds tensor ${quote(name)} is disposed or was transferred. Allocate another.`,
      );
    }
    return new SnapshardError(
      this.#use.detached,
      `The buffer of tensor ${quote(name)} is detached, or shrank below its view. Pass the buffer that holds it now.`,
    );
  }
}
