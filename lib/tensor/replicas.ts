import { invalidArgument, quote } from './describe.js';
import { sameDimensions } from './shape.js';
import type { RankOfWorld, Replicas } from './tensor.js';

export function sameReplicas(left: Replicas | undefined, right: Replicas | undefined): boolean {
  if (left === right) return true;
  return typeof left === 'object' && typeof right === 'object' && sameDimensions(left, right);
}

/** Brings `replicas` of the tensors of one save into the form of their specs: equal lists become one array. */
export class ReplicasReader {
  readonly #place: RankOfWorld;
  readonly #lists = new Map<string, readonly number[]>();
  /** Most tensors have the list of the one before. */
  #last: { readonly given: readonly unknown[]; readonly made: Replicas | undefined } = { given: [], made: undefined };

  constructor(place: RankOfWorld) {
    this.#place = place;
  }

  /**
   * @returns `undefined` where this rank alone has the tensor
   * @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT`
   */
  read(name: string, value: unknown): Replicas | undefined {
    if (value === undefined) return undefined;
    if (value === 'all') return this.#place.worldSize > 1 ? 'all' : undefined;
    if (!Array.isArray(value)) throw this.#invalid(name, value);
    if (value.length === 0 || !sameDimensions(value as number[], this.#last.given)) {
      const given = value.slice() as unknown[];
      this.#last = { given, made: this.#make(name, given) };
    }
    return this.#last.made;
  }

  #make(name: string, given: readonly unknown[]): Replicas | undefined {
    const { rank, worldSize } = this.#place;
    const isRank = (item: unknown): item is number =>
      Number.isSafeInteger(item) && (item as number) >= 0 && (item as number) < worldSize;
    const ranks = given.filter(isRank).sort((left, right) => left - right);
    const distinct = ranks.every((item, index) => item !== ranks[index + 1]);
    if (ranks.length < given.length || !distinct || !ranks.includes(rank)) throw this.#invalid(name, given);
    if (ranks.length === 1) return undefined;
    return ranks.length === worldSize ? 'all' : this.#shared(ranks);
  }

  #shared(ranks: readonly number[]): readonly number[] {
    const key = ranks.join();
    const kept = this.#lists.get(key) ?? ranks;
    this.#lists.set(key, kept);
    return kept;
  }

  #invalid(name: string, received: unknown): Error {
    const { rank, worldSize } = this.#place;
    const expected = `'all' or a list of different ranks from 0 to ${worldSize - 1}, this one (${rank}) among them,`;
    return invalidArgument(`\`replicas\` of tensor ${quote(name)}`, expected, received);
  }
}
