export interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * A lane for each span, from 0, so that those of one lane do not overlap: the lowest that is free when it begins. As
 * many lanes are used as spans overlap at the most.
 */
export function lanesOf(spans: readonly Span[]): number[] {
  const order = spans
    .map((_, index) => index)
    .toSorted((left, right) => spans[left]!.start - spans[right]!.start || left - right);
  const lanes = new Array<number>(spans.length).fill(0);
  const freeFrom: number[] = [];
  for (const index of order) {
    const { start, end } = spans[index]!;
    const free = freeFrom.findIndex((time) => time <= start);
    const lane = free < 0 ? freeFrom.length : free;
    lanes[index] = lane;
    freeFrom[lane] = end;
  }
  return lanes;
}
