import type { SliceEntry } from './rank.js';

/** Checks that the slices of each tensor lie within it, do not overlap, and leave nothing out. */
export function checkCoverage(slices: readonly SliceEntry[]): number {
  const tensors = new Map<string, SliceEntry[]>();
  for (const slice of slices) {
    const others = tensors.get(slice.name);
    if (others === undefined) tensors.set(slice.name, [slice]);
    else others.push(slice);
  }
  for (const [name, members] of tensors) checkTensor(name, members);
  return tensors.size;
}

function checkTensor(name: string, slices: SliceEntry[]): void {
  const [{ dtype, group, globalShape }] = slices as [SliceEntry];
  let covered = 0;
  for (const [index, slice] of slices.entries()) {
    if (slice.dtype !== dtype || slice.group !== group || slice.globalShape.join() !== globalShape.join()) {
      throw new Error(`the slices of ${name} disagree about its dtype, group or shape`);
    }
    if (!fits(slice)) throw new Error(`a slice of ${name} at [${slice.origin.join(', ')}] reaches beyond the tensor`);
    if (slices.slice(0, index).some((other) => overlap(slice, other))) {
      throw new Error(`two slices of ${name} overlap at [${slice.origin.join(', ')}]`);
    }
    covered += volume(slice.shape);
  }
  if (covered !== volume(globalShape)) {
    throw new Error(`${covered} of the ${volume(globalShape)} elements of ${name} are there`);
  }
}

function fits({ shape, origin, globalShape }: SliceEntry): boolean {
  const sameRank = shape.length === globalShape.length && origin.length === globalShape.length;
  return sameRank && shape.every((extent, axis) => origin[axis]! + extent <= globalShape[axis]!);
}

function overlap(a: SliceEntry, b: SliceEntry): boolean {
  if (volume(a.shape) === 0 || volume(b.shape) === 0) return false;
  return a.shape.every((extent, axis) => {
    return a.origin[axis]! < b.origin[axis]! + b.shape[axis]! && b.origin[axis]! < a.origin[axis]! + extent;
  });
}

function volume(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}
