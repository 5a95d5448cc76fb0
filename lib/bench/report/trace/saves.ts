/** The saves of a result that left a trace. */
import type { BenchResult, TraceRecord } from '../../result.js';
import { spread } from '../../statistics.js';

export interface RankTrace {
  readonly rank: number;
  readonly trace: TraceRecord;
  /** When its save was called, from the call of the rank that was the first. */
  readonly startSeconds: number;
}

export interface TracedSave {
  readonly label: string;
  readonly round: number;
  readonly startedAt: string;
  /** From the first call to the last rank's end. */
  readonly seconds: number;
  readonly ranks: readonly RankTrace[];
}

function ranksOf(traces: readonly (TraceRecord | undefined)[]): RankTrace[] {
  const first = Math.min(...traces.flatMap((trace) => trace?.startedAt_ms ?? []));
  return traces.flatMap((trace, rank) =>
    trace === undefined ? [] : [{ rank, trace, startSeconds: (trace.startedAt_ms - first) / 1000 }],
  );
}

/** Of every row of ours that saves, in the order measured. */
export function tracedSaves({ rows }: BenchResult): TracedSave[] {
  return rows
    .filter(({ kind, phase }) => kind === 'ours' && phase === 'save')
    .flatMap(({ label, samples }) =>
      samples.flatMap(({ round, startedAt, ranks: samplesOfRanks }) => {
        const ranks = ranksOf(samplesOfRanks.map(({ trace }) => trace));
        const seconds = Math.max(0, ...ranks.map(({ startSeconds, trace }) => startSeconds + trace.publishedSeconds));
        return ranks.length === 0 ? [] : [{ label, round, startedAt, seconds, ranks }];
      }),
    );
}

/** The one whose duration lies nearest the median. */
export function medianSave(saves: readonly TracedSave[]): TracedSave | undefined {
  const median = spread(saves.map(({ seconds }) => seconds))?.median ?? 0;
  return saves.toSorted((left, right) => Math.abs(left.seconds - median) - Math.abs(right.seconds - median))[0];
}

/** The ranks, from the one that ended last on. */
export function slowestFirst({ ranks }: TracedSave): RankTrace[] {
  const end = ({ startSeconds, trace }: RankTrace): number => startSeconds + trace.publishedSeconds;
  return ranks.toSorted((left, right) => end(right) - end(left));
}

/** The rank that ended last. */
export function slowestRank(save: TracedSave): RankTrace {
  return slowestFirst(save)[0]!;
}

/** When a block was full: its time in the queue begins. */
export function fullAt({ queuedSeconds, submittedSeconds }: TraceRecord, block: number): number {
  const queued = queuedSeconds[block]!;
  return queued < 0 ? submittedSeconds[block]! : Math.min(queued, submittedSeconds[block]!);
}
