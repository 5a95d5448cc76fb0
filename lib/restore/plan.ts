import { SnapshardError } from '../errors.js';
import { type Box, findFault } from '../layout/coverage.js';
import { sortInSlices } from '../layout/sliced_sort.js';
import { TimeSlices } from '../layout/time_slices.js';
import { describe, quote } from '../tensor/describe.js';
import { dtypeBits } from '../tensor/dtype.js';
import { contains, elementsOf, intersection, type Region, regionText, RunCursor } from './boxes.js';
import type { StoredSlice, StoredTensor } from './stored.js';

/** Where some bytes of a wanted region go: those from `begin` to `end`, to a place in a target. */
export interface Piece {
  readonly begin: number;
  readonly end: number;
  /** Index of the target. */
  readonly target: number;
  readonly offset: number;
}

/** Part of a tensor, and the memory that it goes to. */
export interface Wanted extends Region {
  readonly tensor: StoredTensor;
  /** One after the other, without holes; together as long as the region. */
  readonly pieces: readonly Piece[];
}

/** What is wanted of one slice by one of those who want. */
interface Share {
  readonly wanted: Wanted;
  readonly common: Region;
}

/** A stored slice of which something is wanted. */
export interface PlannedSlice {
  readonly tensor: StoredTensor;
  readonly slice: StoredSlice;
  readonly shares: Share[];
}

/** The runs of one share, and the pieces that they go to. */
export interface PlannedRuns {
  readonly runs: RunCursor;
  readonly pieces: readonly Piece[];
}

const entriesBetweenChecks = 256;

function boxOf({ origin, shape }: Region): Box {
  return origin.map((begin, dimension) => ({ begin, end: begin + shape[dimension]! }));
}

function regionOf(box: Box): Region {
  return { origin: box.map(({ begin }) => begin), shape: box.map(({ begin, end }) => end - begin) };
}

interface Found {
  readonly slice: StoredSlice;
  readonly common: Region;
}

function incomplete({ tensor }: Wanted, gap: Region): SnapshardError {
  const all = elementsOf(gap) === elementsOf({ origin: gap.origin, shape: tensor.shape });
  return new SnapshardError(
    'ERR_SNAPSHARD_INCOMPLETE_TENSOR',
    `Tensor ${quote(tensor.name)} of shape ${describe(tensor.shape)} lacks ${all ? 'all of it' : regionText(gap)}: ` +
      'no slice in the checkpoint holds that. Are the files of all ranks there?',
  );
}

/** Drops what the others hold already, where others wrote slices that overlap, such as replicas. */
function withoutCovered(found: readonly Found[]): Found[] {
  const bySize = found.toSorted((left, right) => elementsOf(right.common) - elementsOf(left.common));
  const kept: Found[] = [];
  for (const candidate of bySize) {
    if (!kept.some(({ common }) => contains(common, candidate.common))) kept.push(candidate);
  }
  return kept;
}

/** The slices that hold what is wanted, none of them in vain. */
function findSlices(wanted: Wanted): readonly Found[] {
  const holder = wanted.tensor.slices.find((slice) => contains(slice, wanted));
  if (holder !== undefined) return [{ slice: holder, common: wanted }];
  const found: Found[] = [];
  let elements = 0;
  for (const slice of wanted.tensor.slices) {
    const common = intersection(slice, wanted);
    if (common === undefined) continue;
    found.push({ slice, common });
    elements += elementsOf(common);
  }
  const boxes = found.map(({ common }) => boxOf(common));
  const gap = findFault(boxes, boxOf(wanted), 'only')?.box;
  if (gap !== undefined) throw incomplete(wanted, regionOf(gap));
  return elements === elementsOf(wanted) ? found : withoutCovered(found);
}

const byPlace = ({ slice: left }: PlannedSlice, { slice: right }: PlannedSlice): number =>
  left.file - right.file || left.begin - right.begin;

/**
 * Which slices hold what is wanted, by file and place. It gives way to the event loop.
 * @throws {SnapshardError} `ERR_SNAPSHARD_INCOMPLETE_TENSOR` naming the tensor and a range that no slice holds;
 *   `ERR_SNAPSHARD_SHAPE_MISMATCH` where elements narrower than a byte do not meet at whole bytes
 */
export async function planSlices(all: readonly Wanted[], slices = new TimeSlices()): Promise<PlannedSlice[]> {
  const planned = new Map<StoredSlice, PlannedSlice>();
  for (const [index, wanted] of all.entries()) {
    if (index % entriesBetweenChecks === 0 && slices.spent) await slices.pause();
    if (wanted.shape.includes(0)) continue;
    for (const { slice, common } of findSlices(wanted)) {
      const known = planned.get(slice);
      if (known === undefined) planned.set(slice, { tensor: wanted.tensor, slice, shares: [{ wanted, common }] });
      else known.shares.push({ wanted, common });
    }
  }
  const unsorted: PlannedSlice[] = [];
  for (const slice of planned.values()) {
    if (dtypeBits[slice.tensor.dtype] % 8 !== 0) runsOf(slice);
    unsorted.push(slice);
    if (unsorted.length % entriesBetweenChecks === 0 && slices.spent) await slices.pause();
  }
  return await sortInSlices(unsorted, byPlace, slices);
}

/** The runs of bytes that are wanted of a slice, each share's by itself. */
export function runsOf({ tensor, slice, shares }: PlannedSlice): PlannedRuns[] {
  return shares.map(({ wanted, common }) => ({
    runs: new RunCursor(tensor, slice, wanted, common),
    pieces: wanted.pieces,
  }));
}
