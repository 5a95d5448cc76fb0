/** Xoshiro128** with a state that can be saved and put back, so that a resumed run draws the same numbers. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number) {
    this.#a = scramble(seed + 0x9e3779b9);
    this.#b = scramble(this.#a);
    this.#c = scramble(this.#b);
    this.#d = scramble(this.#c);
  }

  /** Goes on from a {@link Random.state} that was saved. */
  restore([a, b, c, d]: readonly number[]): void {
    this.#a = a ?? 0;
    this.#b = b ?? 0;
    this.#c = c ?? 0;
    this.#d = d ?? 0;
  }

  /** Four 32-bit words: all there is to save. */
  get state(): [number, number, number, number] {
    return [this.#a, this.#b, this.#c, this.#d];
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    const result = Math.imul(rotateLeft(Math.imul(this.#b, 5), 7), 9);
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = rotateLeft(this.#d, 11);
    return (result >>> 0) / 2 ** 32;
  }
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function scramble(value: number): number {
  let mixed = Math.imul((value + 0x9e3779b9) ^ (value >>> 16), 0x21f0aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
  return mixed ^ (mixed >>> 15);
}
