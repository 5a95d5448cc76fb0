import { cudaOf } from '../memory/cuda_memory.js';
import { visitEntries } from '../tensor/entries.js';
import { rankLimit } from '../tensor/shape.js';
import type { CudaSource } from '../tensor/source.js';
import type { Slice, Targets } from './read_types.js';

/** The properties of a target that is a slice, each read once. */
export interface TakenSlice {
  readonly properties: readonly string[];
  readonly slice: Partial<Record<keyof Slice, unknown>>;
}

/** An entry as it was at the call, not yet checked. */
interface Taken {
  readonly name: unknown;
  readonly data: unknown;
  /** `undefined` where all of the tensor is wanted. */
  readonly part: TakenSlice | undefined;
}

function isSliceTarget(target: unknown): target is Record<string, unknown> {
  return typeof target === 'object' && target !== null && !ArrayBuffer.isView(target) && 'data' in target;
}

/** What is longer is refused later. */
function copyList(list: unknown): unknown {
  return Array.isArray(list) && list.length <= rankLimit ? list.slice() : list;
}

/**
 * The targets of a read as they are at the call: what their caller does to the lists afterwards changes nothing, nor
 * does it to dispose of device memory. Checking them can wait.
 */
export class TakenTargets {
  readonly cuda = new Map<object, CudaSource>();
  readonly #taken: Taken[] = [];
  #failure: { readonly error: unknown } | undefined;

  constructor(targets: Targets) {
    try {
      visitEntries(targets, { argument: 'targets', value: 'target' }, (name, target) => {
        this.#take(name, target);
      });
    } catch (error) {
      this.#failure = { error };
    }
  }

  /** Throws, behind those that could be taken, what kept the next one from it. */
  *[Symbol.iterator](): Generator<Taken, void, undefined> {
    yield* this.#taken;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #take(name: unknown, target: unknown): void {
    if (!isSliceTarget(target)) {
      this.#taken.push({ name, data: this.#takeData(target), part: undefined });
      return;
    }
    const { data, origin, shape } = target;
    const slice = { origin: copyList(origin), shape: copyList(shape) };
    this.#taken.push({ name, data: this.#takeData(data), part: { properties: Object.keys(target), slice } });
  }

  #takeData(data: unknown): unknown {
    if (!Array.isArray(data)) return this.#takePart(data);
    return (data as unknown[]).map((part) => this.#takePart(part));
  }

  #takePart(part: unknown): unknown {
    if (typeof part !== 'object' || part === null || ArrayBuffer.isView(part)) return part;
    const cuda = cudaOf(part);
    if (cuda !== undefined) this.cuda.set(part, cuda);
    return part;
  }
}
