import { SnapshardError, type SnapshardErrorCode } from '../errors.js';
import { describe, quote } from '../tensor/describe.js';
import { sameDimensions } from '../tensor/shape.js';
import { type TensorSpec, isWhole } from '../tensor/tensor.js';

export interface Range {
  readonly begin: number;
  readonly end: number;
}

/** Part of a tensor: a range along each dimension. */
export type Box = readonly Range[];

export interface Fault {
  readonly kind: 'gap' | 'overlap';
  readonly box: Box;
}

function boxOf(spec: TensorSpec): Box {
  return spec.shape.map((size, dimension) => {
    const begin = spec.origin[dimension] ?? 0;
    return { begin, end: begin + size };
  });
}

const nowhere: Range = { begin: 0, end: 0 };
const rangeOf = (box: Box, dimension: number): Range => box[dimension] ?? nowhere;

/** Cuts a dimension wherever a box begins or ends. */
function cut(boxes: readonly Box[], whole: Range, dimension: number): Range[] {
  const points = new Set([whole.begin, whole.end]);
  for (const box of boxes) points.add(rangeOf(box, dimension).begin).add(rangeOf(box, dimension).end);
  const sorted = [...points].sort((left, right) => left - right);
  return sorted.slice(1).map((end, index) => ({ begin: sorted[index] ?? 0, end }));
}

/** Whether slices must cover their tensor, or may leave the rest to other ranks; `only`: they may overlap, too. */
type Gaps = 'fault' | 'allowed' | 'only';

/**
 * Where boxes, none of them empty, do not cover the whole exactly once (with `only`: at all). It searches slab by slab
 * along one dimension; within a slab, all boxes that touch it span it, so that only the dimensions after it are left to
 * compare.
 * @param done the slab's ranges along the dimensions before `dimension`
 */
export function findFault(boxes: readonly Box[], whole: Box, gaps: Gaps, done: Box = []): Fault | undefined {
  const dimension = done.length;
  if (gaps === 'allowed' && boxes.length < 2) return undefined;
  if (boxes.length === 0) return { kind: 'gap', box: [...done, ...whole.slice(dimension)] };
  const range = whole[dimension];
  if (range === undefined) return boxes.length > 1 && gaps !== 'only' ? { kind: 'overlap', box: done } : undefined;
  const waiting = [...boxes].sort((left, right) => rangeOf(right, dimension).begin - rangeOf(left, dimension).begin);
  let touching: Box[] = [];
  for (const slab of cut(boxes, range, dimension)) {
    touching = touching.filter((box) => rangeOf(box, dimension).end > slab.begin);
    for (let next = waiting.at(-1); next !== undefined; next = waiting.at(-1)) {
      if (rangeOf(next, dimension).begin > slab.begin) break;
      touching.push(next);
      waiting.pop();
    }
    const fault = findFault(touching, whole, gaps, [...done, slab]);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function tensorFault(code: SnapshardErrorCode, name: string, what: string): SnapshardError {
  return new SnapshardError(code, `The slices of tensor ${quote(name)} ${what}.`);
}

function checkAgreement(first: TensorSpec, other: TensorSpec): void {
  const differing = (['dtype', 'group'] as const).find((property) => first[property] !== other[property]);
  if (differing !== undefined) {
    const values = `${first[differing]} and ${other[differing]}`;
    throw tensorFault('ERR_SNAPSHARD_SHAPE_MISMATCH', first.name, `disagree on \`${differing}\`: ${values}`);
  }
  if (!sameDimensions(first.globalShape, other.globalShape)) {
    const values = `${describe(first.globalShape)} and ${describe(other.globalShape)}`;
    throw tensorFault('ERR_SNAPSHARD_SHAPE_MISMATCH', first.name, `disagree on \`globalShape\`: ${values}`);
  }
}

function checkSlices(first: TensorSpec, slices: readonly TensorSpec[], gaps: Gaps): void {
  for (const slice of slices) checkAgreement(first, slice);
  if (first.globalShape.includes(0)) return;
  const whole = first.globalShape.map((size) => ({ begin: 0, end: size }));
  const fault = findFault(slices.filter(({ bytes }) => bytes > 0).map(boxOf), whole, gaps);
  if (fault === undefined) return;
  const range = `[${fault.box.map(({ begin, end }) => `${begin}:${end}`).join(', ')}]`;
  const what = fault.kind === 'gap' ? `leave out ${range}` : `overlap at ${range}`;
  const duty = gaps === 'fault' ? 'together they must cover it exactly once' : 'no two may hold the same elements';
  const shape = `of globalShape ${describe(first.globalShape)}; ${duty}`;
  throw tensorFault('ERR_SNAPSHARD_INCOMPLETE_TENSOR', first.name, `${what} ${shape}`);
}

function checkAll(specs: readonly TensorSpec[], gaps: Gaps): void {
  const slicesOf = new Map<string, TensorSpec[]>();
  for (const spec of specs) {
    if (isWhole(spec)) continue;
    const slices = slicesOf.get(spec.name);
    if (slices === undefined) slicesOf.set(spec.name, [spec]);
    else slices.push(spec);
  }
  for (const slices of slicesOf.values()) {
    const [first] = slices;
    if (first !== undefined) checkSlices(first, slices, gaps);
  }
}

/**
 * Checks that the slices of each tensor agree with each other and cover it exactly.
 * @throws {SnapshardError} `ERR_SNAPSHARD_SHAPE_MISMATCH` where slices disagree on dtype, group or global shape;
 *   `ERR_SNAPSHARD_INCOMPLETE_TENSOR` naming the tensor and a range that is missing or there twice
 */
export function checkCoverage(specs: readonly TensorSpec[]): void {
  checkAll(specs, 'fault');
}

/**
 * Checks the slices of one rank among several: those of one tensor agree, and none overlaps another. What they leave
 * out, other ranks may have.
 * @throws {SnapshardError} as {@link checkCoverage}
 */
export function checkOwnSlices(specs: readonly TensorSpec[]): void {
  checkAll(specs, 'allowed');
}
