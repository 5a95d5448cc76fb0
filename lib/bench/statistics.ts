export interface Spread {
  count: number;
  median: number;
  min: number;
  max: number;
}

/** `undefined` for no values. */
export function spread(values: readonly number[]): Spread | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const low = sorted[(sorted.length - 1) >> 1];
  const high = sorted[sorted.length >> 1];
  const min = sorted[0];
  const max = sorted.at(-1);
  if (low === undefined || high === undefined || min === undefined || max === undefined) return undefined;
  return { count: sorted.length, median: (low + high) / 2, min, max };
}

export function formatSpread(value: Spread | undefined, digits: number): [median: string, range: string] {
  if (!value) return ['', ''];
  return [value.median.toFixed(digits), `${value.min.toFixed(digits)}..${value.max.toFixed(digits)}`];
}
