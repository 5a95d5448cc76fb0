import { binding } from '../binding.js';
import { digestBytes } from '../layout/format.js';

/**
 * The digests of one shard's chunks as they come, in their order, the header's first: 16 bytes each, from its first
 * tensor until its last chunk has come, or one is known to be missing.
 */
export class ShardDigests {
  readonly #chunks: number;
  #came = 0;
  #header: Uint8Array | undefined;
  #list: Uint8Array | undefined;
  #digest: string | undefined;
  #incomplete: boolean;

  /** @param chunks how many there are, with the header */
  constructor(chunks: number, incomplete: boolean) {
    this.#chunks = chunks;
    this.#incomplete = incomplete;
  }

  /** `undefined` where it could not be read. */
  get header(): Uint8Array | undefined {
    return this.#header;
  }

  /** Whether all have come. */
  get complete(): boolean {
    return this.#came === this.#chunks;
  }

  /** Of all of them, when they have come. */
  get digest(): string | undefined {
    return this.#digest;
  }

  addHeader(digest: Uint8Array): void {
    this.#header = digest;
    this.#came = 1;
    if (this.complete) this.#digest = binding.digest(digest);
  }

  add(digest: Uint8Array): void {
    if (this.#incomplete) return;
    this.#list ??= this.#begin();
    this.#list.set(digest, this.#came * digestBytes);
    this.#came += 1;
    if (!this.complete) return;
    this.#digest = binding.digest(this.#list);
    this.#list = undefined;
  }

  /** A chunk could not be read: of the others nothing can be told together. */
  miss(): void {
    this.#incomplete = true;
    this.#list = undefined;
  }

  #begin(): Uint8Array {
    const list = new Uint8Array(this.#chunks * digestBytes);
    list.set(this.#header!);
    return list;
  }
}
