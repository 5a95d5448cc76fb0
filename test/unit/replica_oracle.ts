import { dtypeBits } from '../../lib/tensor/dtype.js';
import type { Dtype } from '../../lib/tensor/dtype.js';
import type { Plan } from '../../lib/layout/plan.js';
import { orderSegments } from '../../lib/layout/segments.js';
import type { SourceTable } from '../../lib/tensor/source.js';

/** Part of a tensor: where it begins, and its elements along each dimension. */
export interface Box {
  readonly origin: readonly number[];
  readonly shape: readonly number[];
}

export const elementsOf = (shape: readonly number[]): number => shape.reduce((result, size) => result * size, 1);

/** The places, in C order, of the elements of a box within a tensor of `globalShape`; one by one. */
export function* elementsIn({ origin, shape }: Box, globalShape: readonly number[]): Generator<number> {
  const index = shape.map(() => 0);
  for (let left = elementsOf(shape); left > 0; left -= 1) {
    let place = 0;
    for (const [dimension, size] of globalShape.entries()) {
      place = place * size + origin[dimension]! + index[dimension]!;
    }
    yield place;
    for (let dimension = shape.length - 1; dimension >= 0; dimension -= 1) {
      index[dimension] = index[dimension]! + 1;
      if (index[dimension]! < shape[dimension]!) break;
      index[dimension] = 0;
    }
  }
}

const bitOf = (bytes: Uint8Array, bit: number): number => (bytes[bit >> 3]! >> (bit & 7)) & 1;

/** The bytes of a box, element by element; those narrower than a byte bit by bit, the low bits first. */
export function bytesIn(tensor: Uint8Array, dtype: Dtype, globalShape: readonly number[], box: Box): Uint8Array {
  const bits = dtypeBits[dtype];
  const copy = new Uint8Array((elementsOf(box.shape) * bits) / 8);
  let next = 0;
  for (const place of elementsIn(box, globalShape)) {
    if (bits % 8 === 0) {
      const begin = (place * bits) / 8;
      for (let byte = 0; byte < bits / 8; byte += 1) copy[(next * bits) / 8 + byte] = tensor[begin + byte]!;
    } else {
      for (let bit = 0; bit < bits; bit += 1) {
        const target = next * bits + bit;
        copy[target >> 3] = copy[target >> 3]! | (bitOf(tensor, place * bits + bit) << (target & 7));
      }
    }
    next += 1;
  }
  return copy;
}

/** What native would write of each slice: the bytes of its segments, one after the other. */
export function slicesWritten(plan: Plan, sources: SourceTable): Uint8Array[] {
  const { segmentBytes, segmentSource, segmentOffset } = orderSegments(plan, sources);
  let next = 0;
  const written = [...plan.sliceBytes].map((bytes) => {
    const slice = new Uint8Array(bytes);
    for (let position = 0; position < bytes; next += 1) {
      const source = sources.sources[segmentSource[next]!] as ArrayBuffer;
      slice.set(new Uint8Array(source, segmentOffset[next], segmentBytes[next]), position);
      position += segmentBytes[next]!;
    }
    return slice;
  });
  if (next !== segmentBytes.length) throw new Error(`${segmentBytes.length - next} segments are left over`);
  return written;
}
