/**
 * Random words as fast as memory takes them. The generator is sfc32, "Small Fast Counter" of 128 bits
 * (C. Doty-Humphrey, PractRand): no two streams of it overlap where their counters start apart.
 */

/** Each word is one of `low`, taken by 16 random bits, and one of `high`, taken by 16 others, by exclusive or. */
export interface DrawTables {
  readonly low: Uint32Array;
  readonly high: Uint32Array;
}

export type RandomState = Int32Array;

const warmup = new Uint32Array(12);

/** @param key three words */
export function startRandom(key: Uint32Array, stream: number): RandomState {
  const state = Int32Array.of(key[0]!, key[1]!, key[2]!, stream);
  randomWords(state, warmup, plainTables());
  return state;
}

/** Fills `words`, and moves `state` on. */
export function randomWords(state: RandomState, words: Uint32Array, { low, high }: DrawTables): void {
  // Read one by one: taken as an iterable, they would not be kept as integers.
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let counter = state[3]!;
  for (let index = 0; index < words.length; index++) {
    const word = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + word) | 0;
    words[index] = low[word & 0xffff]! ^ high[word >>> 16]!;
  }
  state.set([a, b, c, counter]);
}

let plain: DrawTables | undefined;

/** The random bits themselves. */
export function plainTables(): DrawTables {
  if (plain === undefined) {
    const low = Uint32Array.from({ length: 1 << 16 }, (_, index) => index);
    plain = { low, high: low.map((value) => value << 16) };
  }
  return plain;
}
