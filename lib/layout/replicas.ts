import { dtypeBits } from '../tensor/dtype.js';
import type { RankOfWorld, Replicas, TensorSpec } from '../tensor/tensor.js';
import { type Slice, compareSlices } from './order.js';

/**
 * How replicas are divided. All ranks of a set know the same tensors, so each computes the same cuts by itself: the
 * bytes of these tensors, sorted, lie in a line, of which each rank takes an equal share. A cut that falls inside a
 * tensor goes to one of its ends if that is near enough, and else divides it along one dimension.
 */

/** How far from a rank's fair share a cut may be moved: this part of it, or this many bytes, whichever is more. */
const toleratedShare = 0.004;
const toleratedBytes = 4096;
/** Most byte ranges of the whole that a piece may consist of: a dimension inside so many others is not cut. */
const pieceRangesLimit = 1024;

/** Of the line of a set's tensors: the bytes that this rank takes. */
interface Share {
  readonly begin: number;
  readonly end: number;
  readonly toleranceBytes: number;
}

/** Equal units of a tensor between which it may be cut. */
interface Grid {
  readonly dimension: number;
  readonly units: number;
}

const product = (sizes: readonly number[]): number => sizes.reduce((result, size) => result * size, 1);

/** The last end is infinite: rounding must leave nothing over, and what is empty at the line's end needs a rank. */
function shareOf(totalBytes: number, member: number, members: number): Share {
  const toleranceBytes = Math.max((totalBytes / members) * toleratedShare, toleratedBytes);
  const end = member + 1 === members ? Infinity : (totalBytes * (member + 1)) / members;
  return { begin: (totalBytes * member) / members, end, toleranceBytes };
}

function greatestCommonDivisor(left: number, right: number): number {
  return right === 0 ? left : greatestCommonDivisor(right, left % right);
}

/** Into how many equal units of whole bytes a tensor may be cut along one dimension. */
function unitsAlong({ dtype, shape }: TensorSpec, dimension: number): number {
  const size = shape[dimension] ?? 1;
  const width = dtypeBits[dtype];
  if (width % 8 === 0) return size;
  const innerBits = product(shape.slice(dimension + 1)) * width;
  return (size * innerBits) % 8 === 0 ? (size * greatestCommonDivisor(innerBits, 8)) / 8 : 1;
}

/**
 * Along the outermost dimension whose units are small enough to cut within the tolerance, or else the one of the most
 * units. A tensor that cannot be cut is one unit.
 */
function gridOf(spec: TensorSpec, toleranceBytes: number): Grid {
  let best: Grid = { dimension: 0, units: 1 };
  let ranges = 1;
  for (const [dimension, size] of spec.shape.entries()) {
    const units = unitsAlong(spec, dimension);
    if (units > best.units) best = { dimension, units };
    // Rounding moves a cut by half a unit at most.
    if (spec.bytes / best.units <= 2 * toleranceBytes) break;
    ranges *= size;
    if (ranges > pieceRangesLimit) break;
  }
  return best;
}

/** A position in a tensor, moved to its nearer end if it lies beyond or close by. */
function snap(position: number, bytes: number, toleranceBytes: number): number {
  if (position < bytes / 2) return position <= toleranceBytes ? 0 : position;
  return position >= bytes - toleranceBytes ? bytes : position;
}

function cutPiece(spec: TensorSpec, { dimension, units }: Grid, begin: number, end: number): TensorSpec {
  const { name, dtype, shape, globalShape, origin, group } = spec;
  const unitSize = (shape[dimension] ?? 1) / units;
  const bytes = (spec.bytes / units) * (end - begin);
  return {
    ...{ name, dtype, globalShape, group, bytes, replicas: undefined },
    shape: shape.with(dimension, (end - begin) * unitSize),
    origin: origin.with(dimension, (origin[dimension] ?? 0) + begin * unitSize),
  };
}

/** What of a tensor that begins at `position` of the line is in the share: all of it, a piece, or nothing. */
function pieceOf(spec: TensorSpec, position: number, share: Share): TensorSpec | undefined {
  const { bytes } = spec;
  if (bytes === 0) return share.begin <= position && position < share.end ? spec : undefined;
  const { toleranceBytes } = share;
  const begin = snap(share.begin - position, bytes, toleranceBytes);
  const end = snap(share.end - position, bytes, toleranceBytes);
  if (begin >= end) return undefined;
  if (begin === 0 && end === bytes) return spec;
  const grid = gridOf(spec, toleranceBytes);
  const firstUnit = Math.round((begin / bytes) * grid.units);
  const endUnit = Math.round((end / bytes) * grid.units);
  if (firstUnit >= endUnit) return undefined;
  return endUnit - firstUnit === grid.units ? spec : cutPiece(spec, grid, firstUnit, endUnit);
}

function compareInLine(left: Slice, right: Slice): number {
  if (left.spec.name === right.spec.name) return compareSlices(left, right);
  return left.spec.name < right.spec.name ? -1 : 1;
}

/** This rank's share of the slices that the same ranks hold. */
function shareOfSet(slices: Slice[], member: number, members: number): Slice[] {
  slices.sort(compareInLine);
  const totalBytes = slices.reduce((sum, { spec }) => sum + spec.bytes, 0);
  const share = shareOf(totalBytes, member, members);
  const own: Slice[] = [];
  let position = 0;
  for (const { spec, input } of slices) {
    const piece = pieceOf(spec, position, share);
    if (piece !== undefined) own.push({ spec: piece, input });
    position += spec.bytes;
  }
  return own;
}

/** Slices that the same ranks hold. Specs share most arrays of ranks, so that few are compared as text. */
function setsOf(slices: readonly Slice[]): Slice[][] {
  const sets = new Map<string, Slice[]>();
  const setOf = new Map<Replicas, Slice[]>();
  for (const slice of slices) {
    const { replicas } = slice.spec;
    if (replicas === undefined) continue;
    const set = setOf.get(replicas) ?? sets.get(String(replicas)) ?? [];
    if (set.length === 0) sets.set(String(replicas), set);
    setOf.set(replicas, set);
    set.push(slice);
  }
  return [...sets.values()];
}

/**
 * What this rank writes: the slices that it alone has, and its part of those that others have too. That part depends on
 * all slices of the same ranks, not on the order in which they came; no other rank needs to be asked.
 */
export function ownSlices(slices: readonly Slice[], { rank, worldSize }: RankOfWorld): Slice[] {
  const own = slices.filter(({ spec }) => spec.replicas === undefined);
  for (const set of setsOf(slices)) {
    const replicas = set[0]?.spec.replicas;
    const members = typeof replicas === 'object' ? replicas.length : worldSize;
    const member = typeof replicas === 'object' ? replicas.indexOf(rank) : rank;
    for (const slice of shareOfSet(set, member, members)) own.push(slice);
  }
  return own;
}
