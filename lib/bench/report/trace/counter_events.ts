import { microseconds, type TraceEvent } from './events.js';
import type { RankTrace } from './saves.js';

export interface Rates {
  readonly values: readonly number[];
  readonly binSeconds: number;
  /** When the first stretch begins. */
  readonly at: number;
}

const counter = (pid: number, name: string, seconds: number, args: Readonly<Record<string, number>>): TraceEvent => ({
  name,
  ph: 'C',
  ts: microseconds(seconds),
  pid,
  tid: 0,
  args,
});

/** Bytes given to the device and not yet completed, whenever that changes. */
export function inFlight({ trace }: RankTrace): { seconds: number; bytes: number }[] {
  const changes = trace.bytes.flatMap((bytes, block) => {
    const [submitted, completed] = [trace.submittedSeconds[block]!, trace.completedSeconds[block]!];
    return submitted < 0 || completed < 0
      ? []
      : [
          { seconds: submitted, bytes },
          { seconds: completed, bytes: -bytes },
        ];
  });
  let now = 0;
  return changes
    .toSorted((left, right) => left.seconds - right.seconds || left.bytes - right.bytes)
    .map(({ seconds, bytes }) => ({ seconds, bytes: (now += bytes) }));
}

export function counterEvents(rank: RankTrace, at: number, { values, binSeconds, at: first }: Rates): TraceEvent[] {
  const rates = values.map((value, bin) =>
    counter(rank.rank, 'GB/s', first + bin * binSeconds, { 'GB/s': Number(value.toFixed(4)) }),
  );
  const last = counter(rank.rank, 'GB/s', first + values.length * binSeconds, { 'GB/s': 0 });
  const flight = inFlight(rank).map(({ seconds, bytes }) =>
    counter(rank.rank, 'bytes in flight', at + seconds, { bytes }),
  );
  return [...flight, ...rates, last];
}
