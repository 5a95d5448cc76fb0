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

export const nanoseconds = (seconds: number): number => Math.round(seconds * 1e9);

interface Slice extends Pick<TraceEvent, 'name' | 'cat' | 'pid' | 'tid' | 'args'> {
  readonly start: number;
  readonly end: number;
}

/** Both ends are rounded, and then subtracted: slices that touch still do, and none overlap. */
export function completeEvent({ start, end, ...rest }: Slice): TraceEvent {
  const from = nanoseconds(start);
  return { ...rest, ph: 'X', ts: from / 1000, dur: Math.max(0, nanoseconds(end) - from) / 1000 };
}
