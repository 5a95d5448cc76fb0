import { inspect } from 'node:util';
import { tensorBytes } from '../tensor/shape.js';
import type { TensorInfo } from './read_types.js';
import type { StoredCheckpoint, StoredTensor } from './stored.js';

/**
 * What is known of each tensor, as callers see it: in lists of its own, so that what they do to it changes no read. It
 * is put into words when it is first asked for: of a million tensors, that would hold up the thread for seconds.
 */
export class TensorInfos implements ReadonlyMap<string, TensorInfo> {
  readonly #stored: StoredCheckpoint;
  readonly #described = new Map<string, TensorInfo>();

  constructor(stored: StoredCheckpoint) {
    this.#stored = stored;
  }

  get size(): number {
    return this.#stored.tensors.size;
  }

  has(name: string): boolean {
    return this.#stored.tensors.has(name);
  }

  get(name: string): TensorInfo | undefined {
    const tensor = this.#stored.tensors.get(name);
    return tensor === undefined ? undefined : this.#describe(tensor);
  }

  forEach(visit: (info: TensorInfo, name: string, all: ReadonlyMap<string, TensorInfo>) => void, self?: unknown): void {
    for (const [name, info] of this) visit.call(self, info, name, this);
  }

  keys(): MapIterator<string> {
    return this.#stored.tensors.keys();
  }

  *values(): MapIterator<TensorInfo> {
    for (const tensor of this.#stored.tensors.values()) yield this.#describe(tensor);
  }

  *entries(): MapIterator<[string, TensorInfo]> {
    for (const tensor of this.#stored.tensors.values()) yield [tensor.name, this.#describe(tensor)];
  }

  [Symbol.iterator](): MapIterator<[string, TensorInfo]> {
    return this.entries();
  }

  /** As `console.log` shows a `Map`. */
  [inspect.custom](): ReadonlyMap<string, TensorInfo> {
    return new Map(this);
  }

  #describe({ name, dtype, shape, group, slices }: StoredTensor): TensorInfo {
    const known = this.#described.get(name);
    if (known !== undefined) return known;
    const { files } = this.#stored;
    const info: TensorInfo = {
      name,
      dtype,
      shape: [...shape],
      group,
      bytes: tensorBytes(name, dtype, shape),
      slices: slices.map(({ file, begin, end, origin, shape: size, digest }) => {
        return { origin: [...origin], shape: [...size], file: files[file]!.path, bytes: end - begin, digest };
      }),
    };
    this.#described.set(name, info);
    return info;
  }
}
