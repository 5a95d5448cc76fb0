/** An event of the Trace Event Format; times in microseconds. */
export interface TraceEvent {
  readonly name: string;
  readonly cat?: string;
  /** X: a slice; i: a moment; C: counters; M: a name. */
  readonly ph: 'X' | 'i' | 'C' | 'M';
  readonly ts: number;
  readonly dur?: number;
  readonly pid: number;
  readonly tid: number;
  /** Of a moment: the process is marked. */
  readonly s?: 'p';
  readonly args?: Readonly<Record<string, string | number>>;
}

/** Numbers of the lanes: the phases', the first stager thread's (there are at most 64), the first of the device queue. */
export const phaseLane = 1;
export const threadLanes = 10;
export const deviceLanes = 100;

/**
 * Whole ones: viewers add `ts` and `dur` as floating-point numbers, and where the sum is a hair beyond the next slice,
 * some draw that one within this one.
 */
export const microseconds = (seconds: number): number => Math.round(seconds * 1e6);

interface Slice extends Pick<TraceEvent, 'name' | 'cat' | 'pid' | 'tid' | 'args'> {
  readonly start: number;
  readonly end: number;
}

/** Both ends are rounded, and then subtracted: slices that touch still do, and none overlap. */
export function completeEvent({ start, end, ...rest }: Slice): TraceEvent {
  const from = microseconds(start);
  return { ...rest, ph: 'X', ts: from, dur: Math.max(0, microseconds(end) - from) };
}
