import type { SaveTrace } from '../save/trace.js';
import type { TraceRecord } from './result.js';

/** A trace as JSON holds it: times to the microsecond. */
export function traceRecord(trace: SaveTrace): TraceRecord {
  const seconds = (column: Float64Array): number[] => Array.from(column, rounded);
  return {
    startedAt_ms: trace.startedAt_ms,
    files: [...trace.files],
    file: [...trace.file],
    offset: [...trace.offset],
    bytes: [...trace.bytes],
    thread: [...trace.thread],
    gatherStartSeconds: seconds(trace.gatherStartSeconds),
    gatherEndSeconds: seconds(trace.gatherEndSeconds),
    copySeconds: seconds(trace.copySeconds),
    hashSeconds: seconds(trace.hashSeconds),
    queuedSeconds: seconds(trace.queuedSeconds),
    submittedSeconds: seconds(trace.submittedSeconds),
    completedSeconds: seconds(trace.completedSeconds),
    stagedSeconds: rounded(trace.stagedSeconds),
    writtenSeconds: rounded(trace.writtenSeconds),
    durableSeconds: rounded(trace.durableSeconds),
    publishedSeconds: rounded(trace.publishedSeconds),
  };
}

function rounded(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
