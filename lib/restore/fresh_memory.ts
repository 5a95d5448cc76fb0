import { constants } from 'node:buffer';
import { SnapshardError } from '../errors.js';
import { allocateLease, leaseOf, type Lease } from '../memory/lease.js';
import { quote } from '../tensor/describe.js';
import { tensorBytes } from '../tensor/shape.js';
import { SourceKind } from '../tensor/source.js';
import type { Region } from './boxes.js';
import type { Wanted } from './plan.js';
import type { ReadTensor } from './read_types.js';
import type { ReadRequested } from './reader.js';
import type { StoredTensor } from './stored.js';

/** From here on memory is a lease: the device writes to it directly. Below, a buffer of JavaScript is cheaper. */
const leaseBytesMin = 4 * 1024 * 1024;

interface Fresh {
  readonly tensor: StoredTensor;
  readonly region: Region;
  readonly buffer: ArrayBuffer;
  readonly lease: Lease | undefined;
}

function tooLarge({ name }: StoredTensor, bytes: number): SnapshardError {
  return new SnapshardError(
    'ERR_SNAPSHARD_INVALID_ARGUMENT',
    `Tensor ${quote(name)} takes ${bytes} bytes, and one ArrayBuffer holds ${constants.MAX_LENGTH} here: ` +
      'use `stream`, or `readInto` with a list of targets.',
  );
}

/** Memory for what is read, made as it is asked for. */
export class FreshMemory {
  readonly #all: Fresh[] = [];
  #bytes = 0;

  /** @throws {SnapshardError} `INVALID_ARGUMENT` for more than one `ArrayBuffer` holds; `NO_MEMORY` */
  add(tensor: StoredTensor, region: Region): void {
    const bytes = tensorBytes(tensor.name, tensor.dtype, region.shape);
    if (bytes > constants.MAX_LENGTH) throw tooLarge(tensor, bytes);
    const lease = bytes < leaseBytesMin ? undefined : allocateLease(bytes);
    this.#all.push({ tensor, region, lease, buffer: lease === undefined ? new ArrayBuffer(bytes) : lease.buffer });
    this.#bytes += bytes;
  }

  request(): ReadRequested {
    return {
      wanted: this.#all.map(({ tensor, region, buffer }, target): Wanted => {
        const pieces = [{ begin: 0, end: buffer.byteLength, target, offset: 0 }];
        return { tensor, ...region, pieces };
      }),
      memory: {
        targets: this.#all.map(({ buffer, lease }) => (lease === undefined ? buffer : leaseOf(buffer)!.handle)),
        targetKinds: Uint8Array.from(this.#all, ({ lease }) =>
          lease === undefined ? SourceKind.Buffer : SourceKind.Lease,
        ),
      },
      bytes: this.#bytes,
    };
  }

  tensors(verified: boolean): ReadTensor[] {
    return this.#all.map(({ tensor, region, buffer }) => {
      return { dtype: tensor.dtype, shape: [...region.shape], data: new Uint8Array(buffer), verified };
    });
  }

  /** Gives the memory back, when the read has failed. */
  drop(): void {
    for (const { lease } of this.#all) lease?.dispose();
  }
}
