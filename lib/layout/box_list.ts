import type { Box } from './coverage.js';

/** Boxes at which it pays to look for neighbours that did not come one after another. */
const firstCompaction = 32;

type Relation = 'apart' | 'touching' | 'overlapping';

/**
 * The boxes of one tensor, none of them empty, in little memory: two that together make a box become one. So rows,
 * columns and blocks are few boxes at any time, in whatever order of ranks they come.
 */
export class BoxList {
  readonly #dimensions: number;
  /** For each box where it begins along each dimension, then where it ends. */
  #bounds: number[] = [];
  #count = 0;
  #compaction = firstCompaction;
  #overlap: Box | undefined;

  constructor(dimensions: number) {
    this.#dimensions = dimensions;
  }

  /** An overlap that has shown by itself; what comes after it is no longer kept. */
  get overlap(): Box | undefined {
    return this.#overlap;
  }

  add(origin: readonly number[], shape: readonly number[]): void {
    if (this.#overlap !== undefined) return;
    for (const begin of origin) this.#bounds.push(begin);
    for (let index = 0; index < origin.length; index += 1) this.#bounds.push((origin[index] ?? 0) + (shape[index] ?? 0));
    this.#count += 1;
    this.#mergeLast();
    if (this.#count >= this.#compaction) this.#compact();
  }

  boxes(): Box[] {
    return Array.from({ length: this.#count }, (_, index) => this.#box(index));
  }

  /** Merges the last two boxes as long as they touch. */
  #mergeLast(): void {
    while (this.#count > 1) {
      const relation = this.#relate(this.#count - 2, this.#count - 1);
      if (relation === 'overlapping') this.#overlap = this.#intersection(this.#count - 2, this.#count - 1);
      if (relation !== 'touching') return;
      this.#join(this.#count - 2, this.#count - 1);
      this.#count -= 1;
      this.#bounds.length = this.#count * this.#dimensions * 2;
    }
  }

  /** Two boxes touch if they are equal along all dimensions but one, in which one ends where the other begins. */
  #relate(left: number, right: number): Relation {
    let apart = false;
    let differing = 0;
    let adjacent = false;
    for (let dimension = 0; dimension < this.#dimensions; dimension += 1) {
      const leftBegin = this.#begin(left, dimension);
      const leftEnd = this.#end(left, dimension);
      const rightBegin = this.#begin(right, dimension);
      const rightEnd = this.#end(right, dimension);
      if (leftBegin === rightBegin && leftEnd === rightEnd) continue;
      differing += 1;
      if (leftEnd <= rightBegin || rightEnd <= leftBegin) apart = true;
      adjacent = leftEnd === rightBegin || rightEnd === leftBegin;
    }
    if (!apart) return 'overlapping';
    return differing === 1 && adjacent ? 'touching' : 'apart';
  }

  /** Makes the left box one that holds both. */
  #join(left: number, right: number): void {
    const into = left * this.#dimensions * 2;
    for (let dimension = 0; dimension < this.#dimensions; dimension += 1) {
      const begin = Math.min(this.#begin(left, dimension), this.#begin(right, dimension));
      const end = Math.max(this.#end(left, dimension), this.#end(right, dimension));
      this.#bounds[into + dimension] = begin;
      this.#bounds[into + this.#dimensions + dimension] = end;
    }
  }

  /** Puts the boxes in line along one dimension after another, and merges them. */
  #compact(): void {
    const width = this.#dimensions * 2;
    for (let dimension = 0; dimension < this.#dimensions && this.#overlap === undefined; dimension += 1) {
      const order = this.#inLine(dimension);
      const bounds = this.#bounds;
      this.#bounds = [];
      this.#count = 0;
      for (const box of order) {
        for (let index = box * width; index < (box + 1) * width; index += 1) this.#bounds.push(bounds[index] ?? 0);
        this.#count += 1;
        this.#mergeLast();
      }
    }
    this.#compaction = Math.max(firstCompaction, this.#count * 2);
  }

  /** Numbers of the boxes: those that differ only along one dimension stand together, in their order along it. */
  #inLine(dimension: number): number[] {
    const others = Array.from({ length: this.#dimensions }, (_, index) => index).filter((index) => index !== dimension);
    return Array.from({ length: this.#count }, (_, index) => index).sort((left, right) => {
      for (const other of others) {
        const different =
          this.#begin(left, other) - this.#begin(right, other) || this.#end(left, other) - this.#end(right, other);
        if (different !== 0) return different;
      }
      return this.#begin(left, dimension) - this.#begin(right, dimension);
    });
  }

  #begin(box: number, dimension: number): number {
    return this.#bounds[box * this.#dimensions * 2 + dimension] ?? 0;
  }

  #end(box: number, dimension: number): number {
    return this.#bounds[(box * 2 + 1) * this.#dimensions + dimension] ?? 0;
  }

  #box(index: number): Box {
    return Array.from({ length: this.#dimensions }, (_, dimension) => ({
      begin: this.#begin(index, dimension),
      end: this.#end(index, dimension),
    }));
  }

  #intersection(left: number, right: number): Box {
    return this.#box(left).map(({ begin, end }, dimension) => ({
      begin: Math.max(begin, this.#begin(right, dimension)),
      end: Math.min(end, this.#end(right, dimension)),
    }));
  }
}
