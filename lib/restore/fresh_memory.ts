import { constants } from 'node:buffer';
import { SnapshardError } from '../errors.js';
import { quote } from '../tensor/describe.js';
import { tensorBytes } from '../tensor/shape.js';
import { SourceKind } from '../tensor/source.js';
import type { Region } from './boxes.js';
import type { Wanted } from './plan.js';
import type { ReadTensor } from './read_types.js';
import type { ReadRequested } from './reader.js';
import type { StoredTensor } from './stored.js';

interface Fresh {
  readonly tensor: StoredTensor;
  readonly region: Region;
  readonly buffer: ArrayBuffer;
}

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
  readonly #all: Fresh[] = [];
  #bytes = 0;

  /** @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` for more than one `ArrayBuffer` holds; `NO_MEMORY` */
  add(tensor: StoredTensor, region: Region): void {
    const bytes = tensorBytes(tensor.name, tensor.dtype, region.shape);
    if (bytes > constants.MAX_LENGTH) throw tooLarge(tensor, bytes);
    this.#all.push({ tensor, region, buffer: allocate(tensor, bytes) });
    this.#bytes += bytes;
  }

  request(): ReadRequested {
    return {
      wanted: this.#all.map(({ tensor, region, buffer }, target): Wanted => {
        const pieces = [{ begin: 0, end: buffer.byteLength, target, offset: 0 }];
        return { tensor, ...region, pieces };
      }),
      memory: {
        targets: this.#all.map(({ buffer }) => buffer),
        targetKinds: new Uint8Array(this.#all.length).fill(SourceKind.Buffer),
      },
      bytes: this.#bytes,
    };
  }

  tensors(verified: boolean): ReadTensor[] {
    return this.#all.map(({ tensor, region, buffer }) => {
      return { dtype: tensor.dtype, shape: [...region.shape], data: new Uint8Array(buffer), verified };
    });
  }
}
