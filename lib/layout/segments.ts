import { dtypeBits } from '../tensor/dtype.js';
import type { SourceTable } from '../tensor/source.js';
import type { TensorSpec } from '../tensor/tensor.js';
import type { Plan } from './plan.js';

/** Segments of all slices in file order, as the native core takes them. */
export interface OrderedSegments {
  readonly segmentBytes: Float64Array;
  readonly segmentSource: Uint32Array;
  readonly segmentOffset: Float64Array;
}

/** Where the bytes of a piece lie in those of its whole: `count` ranges, one every `stride` bytes. */
interface ByteRanges {
  readonly begin: number;
  readonly bytes: number;
  readonly stride: number;
  readonly count: number;
}

const product = (sizes: readonly number[]): number => sizes.reduce((result, size) => result * size, 1);

/** @param piece a part of the whole that is smaller along one dimension */
function byteRanges(whole: TensorSpec, piece: TensorSpec): ByteRanges {
  const dimension = whole.shape.findIndex((size, index) => size !== piece.shape[index]);
  const count = product(whole.shape.slice(0, dimension));
  const elementsBefore = (piece.origin[dimension] ?? 0) - (whole.origin[dimension] ?? 0);
  // Exact, also for elements narrower than a byte: the piece begins at a whole one.
  const begin = elementsBefore * product(whole.shape.slice(dimension + 1)) * (dtypeBits[whole.dtype] / 8);
  return { begin, bytes: piece.bytes / count, stride: whole.bytes / count, count };
}

/** Gathers segments of a {@link SourceTable}, whole tensors or ranges of them. */
class SegmentPicker {
  readonly #sources: SourceTable;
  readonly #bytes: Float64Array;
  readonly #source: Uint32Array;
  readonly #offset: Float64Array;
  #count = 0;

  constructor(sources: SourceTable, capacity: number) {
    this.#sources = sources;
    this.#bytes = new Float64Array(capacity);
    this.#source = new Uint32Array(capacity);
    this.#offset = new Float64Array(capacity);
  }

  pickWholes(tensors: Uint32Array): void {
    const { tensorSegments, segmentBytes } = this.#sources;
    for (const tensor of tensors) {
      const end = tensorSegments[tensor + 1] ?? 0;
      for (let segment = tensorSegments[tensor] ?? end; segment < end; segment += 1) {
        this.#add(segment, 0, segmentBytes[segment] ?? 0);
      }
    }
  }

  pickRanges(tensor: number, { begin, bytes, stride, count }: ByteRanges): void {
    const { tensorSegments, segmentBytes } = this.#sources;
    let segment = tensorSegments[tensor] ?? 0;
    let segmentBegin = 0;
    const bytesNow = (): number => segmentBytes[segment] ?? Infinity;
    for (let range = 0; range < count; range += 1) {
      let position = begin + range * stride;
      const rangeEnd = position + bytes;
      while (position < rangeEnd) {
        for (; segmentBegin + bytesNow() <= position; segment += 1) segmentBegin += bytesNow();
        const end = Math.min(segmentBegin + bytesNow(), rangeEnd);
        this.#add(segment, position - segmentBegin, end - position);
        position = end;
      }
    }
  }

  finish(): OrderedSegments {
    return {
      segmentBytes: this.#bytes.subarray(0, this.#count),
      segmentSource: this.#source.subarray(0, this.#count),
      segmentOffset: this.#offset.subarray(0, this.#count),
    };
  }

  #add(segment: number, offset: number, bytes: number): void {
    const { segmentSource, segmentOffset } = this.#sources;
    this.#bytes[this.#count] = bytes;
    this.#source[this.#count] = segmentSource[segment] ?? 0;
    this.#offset[this.#count] = (segmentOffset[segment] ?? 0) + offset;
    this.#count += 1;
  }
}

/** By slice: the ranges of those that are pieces. */
function piecesOf({ specs, order, sliceSpecs }: Plan): Map<number, ByteRanges> {
  const pieces = new Map<number, ByteRanges>();
  for (let slice = 0; slice < order.length; slice += 1) {
    const whole = specs[order[slice] ?? 0];
    const spec = sliceSpecs[slice];
    if (whole !== spec && whole !== undefined && spec !== undefined) pieces.set(slice, byteRanges(whole, spec));
  }
  return pieces;
}

/** Brings the segments of the tensors (in input order) into the order of the files; of pieces, picks their bytes. */
export function orderSegments(plan: Plan, sources: SourceTable): OrderedSegments {
  const pieces = piecesOf(plan);
  let capacity = sources.segmentBytes.length;
  for (const { count } of pieces.values()) capacity += count;
  const picker = new SegmentPicker(sources, capacity);
  let next = 0;
  for (const [slice, ranges] of pieces) {
    picker.pickWholes(plan.order.subarray(next, slice));
    picker.pickRanges(plan.order[slice] ?? 0, ranges);
    next = slice + 1;
  }
  picker.pickWholes(plan.order.subarray(next));
  return picker.finish();
}
