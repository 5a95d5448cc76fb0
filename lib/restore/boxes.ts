import { SnapshardError } from '../errors.js';
import { describe, quote } from '../tensor/describe.js';
import { type Dtype, dtypeBits } from '../tensor/dtype.js';

/** Part of a tensor: where it begins, and how far it goes, in elements along each dimension. */
export interface Region {
  readonly origin: readonly number[];
  readonly shape: readonly number[];
}

/** What two regions of one tensor have in common; `undefined` for no element. */
export function intersection(left: Region, right: Region): Region | undefined {
  const origin = new Array<number>(left.origin.length);
  const shape = new Array<number>(left.origin.length);
  for (let dimension = 0; dimension < origin.length; dimension += 1) {
    const leftBegin = left.origin[dimension]!;
    const rightBegin = right.origin[dimension]!;
    const begin = Math.max(leftBegin, rightBegin);
    const end = Math.min(leftBegin + left.shape[dimension]!, rightBegin + right.shape[dimension]!);
    if (end <= begin) return undefined;
    origin[dimension] = begin;
    shape[dimension] = end - begin;
  }
  return { origin, shape };
}

/** Whether the outer region holds all of the inner one, which is not empty. */
export function contains(outer: Region, inner: Region): boolean {
  for (let dimension = 0; dimension < inner.origin.length; dimension += 1) {
    const begin = outer.origin[dimension]!;
    if (inner.origin[dimension]! < begin) return false;
    if (inner.origin[dimension]! + inner.shape[dimension]! > begin + outer.shape[dimension]!) return false;
  }
  return true;
}

export function elementsOf(region: Region): number {
  return region.shape.reduce((product, size) => product * size, 1);
}

/** `[0:4, 2:6]` */
export function regionText({ origin, shape }: Region): string {
  return `[${origin.map((begin, dimension) => `${begin}:${begin + shape[dimension]!}`).join(', ')}]`;
}

/** One level of a nest of loops over elements: how often, and how far each turn moves on in either region. */
interface Level {
  count: number;
  readonly fromStride: number;
  readonly toStride: number;
}

/** The nest of loops over what two regions share. All lengths are in bytes, in bits for dtypes narrower than a byte. */
interface Nest {
  /** Innermost first: the first one is a run that is contiguous in both. */
  readonly levels: Level[];
  readonly from: number;
  readonly to: number;
}

function nestOf(unit: number, from: Region, to: Region, common: Region): Nest {
  const innermost: Level = { count: unit, fromStride: 1, toStride: 1 };
  const levels = [innermost];
  let last = innermost;
  const begin = { from: 0, to: 0 };
  let fromStride = unit;
  let toStride = unit;
  for (let dimension = common.shape.length - 1; dimension >= 0; dimension -= 1) {
    begin.from += (common.origin[dimension]! - from.origin[dimension]!) * fromStride;
    begin.to += (common.origin[dimension]! - to.origin[dimension]!) * toStride;
    const count = common.shape[dimension]!;
    if (count > 1) {
      if (last.count * last.fromStride === fromStride && last.count * last.toStride === toStride) last.count *= count;
      else levels.push((last = { count, fromStride, toStride }));
    }
    fromStride *= from.shape[dimension]!;
    toStride *= to.shape[dimension]!;
  }
  return { levels, ...begin };
}

/** Bits as bytes, where all runs begin and end at whole ones. */
function inBytes({ levels, from, to }: Nest): Nest | undefined {
  const [run, ...outer] = levels;
  const lengths = [run!.count, from, to, ...outer.flatMap(({ fromStride, toStride }) => [fromStride, toStride])];
  if (lengths.some((bits) => bits % 8 !== 0)) return undefined;
  const inner = { count: run!.count / 8, fromStride: 1, toStride: 1 };
  const rest = outer.map(({ count, fromStride, toStride }) => ({
    count,
    fromStride: fromStride / 8,
    toStride: toStride / 8,
  }));
  return { levels: [inner, ...rest], from: from / 8, to: to / 8 };
}

function unaligned(name: string, dtype: Dtype, slice: Region, wanted: Region): SnapshardError {
  return new SnapshardError(
    'ERR_SNAPSHARD_SHAPE_MISMATCH',
    `Tensor ${quote(name)} is ${dtype}, ${dtypeBits[dtype]} bits an element: ${regionText(wanted)} and its stored slice ` +
      `${regionText(slice)} (shapes ${describe(wanted.shape)} and ${describe(slice.shape)}) do not meet at whole ` +
      'bytes. Read a part whose rows are whole bytes, or the whole tensor.',
  );
}

/**
 * Goes through what a stored slice and a wanted region share: runs of bytes that are contiguous in both, as long as
 * they get, in the order of the slice.
 */
export class RunCursor {
  /** Where the rest of the run begins, in bytes of the slice; `Infinity` after the last run. */
  from: number;
  /** Where it goes, in bytes of the wanted region. */
  to: number;
  /** Bytes left of the run. */
  bytes: number;
  readonly #levels: readonly Level[];
  readonly #turns: number[];
  #runFrom: number;
  #runTo: number;

  /** @throws {SnapshardError} `SHAPE_MISMATCH` for elements narrower than a byte whose runs are not whole bytes */
  constructor(tensor: { readonly name: string; readonly dtype: Dtype }, slice: Region, wanted: Region, common: Region) {
    const bits = dtypeBits[tensor.dtype];
    const narrow = bits % 8 !== 0;
    const nest = nestOf(narrow ? bits : bits / 8, slice, wanted, common);
    const { levels, from, to } = (narrow ? inBytes(nest) : nest) ?? refuse(tensor, slice, wanted);
    this.#levels = levels;
    this.#turns = new Array<number>(levels.length).fill(0);
    this.from = this.#runFrom = from;
    this.to = this.#runTo = to;
    this.bytes = levels[0]!.count;
  }

  /** Moves on by so many bytes of this run, to the next one where it ends. */
  take(bytes: number): void {
    this.from += bytes;
    this.to += bytes;
    this.bytes -= bytes;
    if (this.bytes === 0) this.#nextRun();
  }

  #nextRun(): void {
    this.bytes = this.#levels[0]!.count;
    for (let level = 1; level < this.#levels.length; level += 1) {
      const { count, fromStride, toStride } = this.#levels[level]!;
      this.#runFrom += fromStride;
      this.#runTo += toStride;
      this.#turns[level]! += 1;
      if (this.#turns[level]! < count) {
        this.from = this.#runFrom;
        this.to = this.#runTo;
        return;
      }
      this.#turns[level] = 0;
      this.#runFrom -= fromStride * count;
      this.#runTo -= toStride * count;
    }
    this.from = Infinity;
  }
}

function refuse({ name, dtype }: { name: string; dtype: Dtype }, slice: Region, wanted: Region): never {
  throw unaligned(name, dtype, slice, wanted);
}
