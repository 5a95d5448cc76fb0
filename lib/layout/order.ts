import { dtypeBits } from '../tensor/dtype.js';
import { type TensorSpec, isWhole } from '../tensor/tensor.js';

/** Tensors of a multiple of this many bytes come first, where they stay aligned to it. */
const alignmentBytes = 4096;
const widestBits = 64;

/** A spec, or a piece of it, and its place in the input. */
export interface Slice {
  readonly spec: TensorSpec;
  readonly input: number;
}

/** Slices that may share a file, in file order: of one group, and no two of one tensor. */
export interface Run {
  readonly group: string;
  readonly slices: readonly Slice[];
}

/** Items by key, in the order of the keys. */
function partition<Item, Key extends string | number>(
  items: Iterable<Item>,
  keyOf: (item: Item) => Key,
): [key: Key, part: Item[]][] {
  const parts = new Map<Key, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const part = parts.get(key);
    if (part === undefined) parts.set(key, [item]);
    else part.push(item);
  }
  return [...parts].sort(([left], [right]) => (left < right ? -1 : 1));
}

function compareDimensions(left: readonly number[], right: readonly number[]): number {
  const different = left.findIndex((value, index) => value !== right[index]);
  return different < 0 ? 0 : (left[different] ?? 0) - (right[different] ?? 0);
}

/** Of one tensor. */
export function compareSlices(left: Slice, right: Slice): number {
  return compareDimensions(left.spec.origin, right.spec.origin) || compareDimensions(left.spec.shape, right.spec.shape);
}

/** An empty slice beside others would have its neighbour's place: PyTorch DCP takes one for the other. */
function isWritten({ spec }: Slice): boolean {
  return spec.bytes > 0 || isWhole(spec) || spec.globalShape.includes(0);
}

/** For slices that are not whole tensors: which of its tensor's slices each is. */
function numberSlices(slices: readonly Slice[]): Map<Slice, number> {
  const numbers = new Map<Slice, number>();
  const partial = slices.filter(({ spec }) => !isWhole(spec));
  for (const [, ofTensor] of partition(partial, ({ spec }) => spec.name)) {
    for (const [number, slice] of ofTensor.sort(compareSlices).entries()) numbers.set(slice, number);
  }
  return numbers;
}

function classOf({ spec }: Slice): number {
  const unaligned = spec.bytes % alignmentBytes === 0 ? 0 : 1;
  return unaligned * (widestBits + 1) + widestBits - dtypeBits[spec.dtype];
}

function compareNames(left: Slice, right: Slice): number {
  return left.spec.name < right.spec.name ? -1 : 1;
}

/** Aligned first, then the wide, then by name in UTF-16 code units: every tensor begins at a multiple of its width. */
function sortSlices(slices: readonly Slice[]): Slice[] {
  return partition(slices, classOf).flatMap(([, sameClass]) => sameClass.sort(compareNames));
}

/**
 * All slices in the order of the files: by group, then first slices before second ones, then as a file orders them.
 * It depends on what the specs say, not on the order in which they came.
 */
export function orderSlices(slices: readonly Slice[]): Run[] {
  const written = slices.filter(isWritten);
  const numbers = numberSlices(written);
  return partition(written, ({ spec }) => spec.group).flatMap(([group, ofGroup]) =>
    partition(ofGroup, (slice) => numbers.get(slice) ?? 0).map(([, run]) => ({ group, slices: sortSlices(run) })),
  );
}
