import { constants } from 'node:buffer';
import { SnapshardError } from '../errors.js';
import type { TimeSlices } from '../layout/time_slices.js';
import { quote } from '../tensor/describe.js';
import { tensorBytes } from '../tensor/shape.js';
import { SourceKind } from '../tensor/source.js';
import type { Region } from './boxes.js';
import type { Wanted } from './plan.js';
import type { ReadTensor } from './read_types.js';
import type { ReadRequested } from './reader.js';
import type { StoredTensor } from './stored.js';

const tensorsBetweenChecks = 256;

function tooLarge({ name }: StoredTensor, bytes: number): SnapshardError {
  return new SnapshardError(
    'ERR_SNAPSHARD_INVALID_ARGUMENT',
    `Tensor ${quote(name)} takes ${bytes} bytes, and one ArrayBuffer holds ${constants.MAX_LENGTH} here: ` +
      'use `stream`, or `readInto` with a list of targets.',
  );
}

function allocate({ name }: StoredTensor, bytes: number): ArrayBuffer {
  try {
    return new ArrayBuffer(bytes);
  } catch (cause) {
    const message = `There is no memory for the ${bytes} bytes of tensor ${quote(name)}: use \`stream\`, or free some.`;
    throw new SnapshardError('ERR_SNAPSHARD_NO_MEMORY', message, { cause });
  }
}

/** Memory for what is read, made as it is asked for. */
export class FreshMemory {
  readonly #wanted: Wanted[] = [];
  readonly #buffers: ArrayBuffer[] = [];
  #bytes = 0;

  /** @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` for more than one `ArrayBuffer` holds; `NO_MEMORY` */
  add(tensor: StoredTensor, { origin, shape }: Region): void {
    const bytes = tensorBytes(tensor.name, tensor.dtype, shape);
    if (bytes > constants.MAX_LENGTH) throw tooLarge(tensor, bytes);
    const target = this.#buffers.push(allocate(tensor, bytes)) - 1;
    this.#wanted.push({ tensor, origin, shape, pieces: [{ begin: 0, end: bytes, target, offset: 0 }] });
    this.#bytes += bytes;
  }

  request(): ReadRequested {
    return {
      wanted: this.#wanted,
      memory: { targets: this.#buffers, targetKinds: new Uint8Array(this.#buffers.length).fill(SourceKind.Buffer) },
      bytes: this.#bytes,
    };
  }

  /** What was read, in the order in which it was asked for. */
  async tensors(verified: boolean, slices: TimeSlices): Promise<ReadTensor[]> {
    const read: ReadTensor[] = [];
    for (const [index, { tensor, shape }] of this.#wanted.entries()) {
      if (index % tensorsBetweenChecks === 0 && slices.spent) await slices.pause();
      const data = new Uint8Array(this.#buffers[index]!);
      read.push({ dtype: tensor.dtype, shape: [...shape], data, verified });
    }
    return read;
  }
}
