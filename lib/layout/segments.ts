import type { SourceTable } from '../tensor/source.js';
import type { Plan } from './plan.js';

/** Segments of all slices in file order, as the native core takes them. */
export interface OrderedSegments {
  readonly segmentBytes: Float64Array;
  readonly segmentSource: Uint32Array;
  readonly segmentOffset: Float64Array;
}

/** Brings the segments of the tensors (in input order) into the order of the files. */
export function orderSegments(plan: Plan, sources: SourceTable): OrderedSegments {
  const count = sources.segmentBytes.length;
  const ordered = {
    segmentBytes: new Float64Array(count),
    segmentSource: new Uint32Array(count),
    segmentOffset: new Float64Array(count),
  };
  let next = 0;
  for (const tensor of plan.order) {
    const end = sources.tensorSegments[tensor + 1] ?? 0;
    for (let segment = sources.tensorSegments[tensor] ?? end; segment < end; segment += 1) {
      ordered.segmentBytes[next] = sources.segmentBytes[segment] ?? 0;
      ordered.segmentSource[next] = sources.segmentSource[segment] ?? 0;
      ordered.segmentOffset[next] = sources.segmentOffset[segment] ?? 0;
      next += 1;
    }
  }
  return ordered;
}
