import type { Lease } from 'snapshard';

const guardBytes = 4096;
const guard = 0xa5;

export type GuardedKind = 'buffer' | 'shared' | 'lease';

/** Memory for a read with something on both sides of it that must stay. */
export class Guarded {
  readonly view: Uint8Array;
  readonly #all: Uint8Array;
  readonly #release: () => void;

  /**
   * @param shift where it begins, in bytes from a page's start
   * @param allocate makes a lease
   */
  constructor(kind: GuardedKind, bytes: number, shift: number, allocate: (bytes: number) => Lease) {
    const length = bytes + shift + 2 * guardBytes;
    const lease = kind === 'lease' ? allocate(length) : undefined;
    const memory = lease?.buffer ?? (kind === 'shared' ? new SharedArrayBuffer(length) : new ArrayBuffer(length));
    this.#all = new Uint8Array(memory).fill(guard);
    this.view = new Uint8Array(memory, guardBytes + shift, bytes);
    this.#release = () => lease?.dispose();
  }

  /** @throws where anything beside it was written */
  release(): void {
    const { byteOffset, byteLength } = this.view;
    const around = [this.#all.subarray(0, byteOffset), this.#all.subarray(byteOffset + byteLength)];
    const touched = around.some((bytes) => bytes.some((byte) => byte !== guard));
    this.#release();
    if (touched) throw new Error('Something beside the target was written.');
  }
}
