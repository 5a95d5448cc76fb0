import type { TransferTrace } from '../binding.js';

/**
 * What became of each block of a save, and when: columns of equal length, one place for each block of each file that
 * this process wrote, in file order. Times are seconds from the call of `save`, by a clock that never goes back; -1
 * where a block had no such moment.
 */
export interface SaveTrace {
  /** Unix time, in milliseconds, of the call of `save`: lines up the traces of several ranks. */
  readonly startedAt_ms: number;
  /** Names of the files, which {@link SaveTrace.file} counts from 0. */
  readonly files: readonly string[];
  readonly file: Uint32Array;
  /** Where the block begins in its file, and its bytes, without the padding of the last. They sum up to `bytes` of the save. */
  readonly offset: Float64Array;
  readonly bytes: Uint32Array;
  /** The stager thread that gathered it: those of this process's main thread, or of the worker, are counted from 0. */
  readonly thread: Uint32Array;
  /**
   * Between these two it was copied and hashed, in turns of at most 256 KiB, by that thread. A block may also hold the
   * end of a chunk that began in the block before it: that is counted there, so a block of nothing else has no time of
   * its own.
   */
  readonly gatherStartSeconds: Float64Array;
  readonly gatherEndSeconds: Float64Array;
  /**
   * How long each of both took, waiting for the processor included: together from `gatherStart` to `gatherEnd`, shared
   * out by what one piece in each 2 MiB took. Copying is 0 for what is written in place. Of a block that holds memory of
   * a GPU, gathering is only asking for it: `copySeconds` is then how long it took from `gatherStart` until all had
   * landed, and the hashing followed that.
   */
  readonly copySeconds: Float64Array;
  readonly hashSeconds: Float64Array;
  /** All bytes are in, and it waits to be written: for its file to be made, or for one of `queueDepth` places. */
  readonly queuedSeconds: Float64Array;
  /** Given to io_uring, or to the threads that call `pwrite`. */
  readonly submittedSeconds: Float64Array;
  /** The device, or the page cache where it is not direct, has taken all of it. */
  readonly completedSeconds: Float64Array;
  /** Those of `SaveTimings`, again. */
  readonly stagedSeconds: number;
  readonly writtenSeconds: number;
  readonly durableSeconds: number;
  readonly publishedSeconds: number;
}

/** The moments of a whole save, in seconds from its call. */
type Moments = Pick<SaveTrace, 'stagedSeconds' | 'writtenSeconds' | 'durableSeconds' | 'publishedSeconds'>;

export interface SaveTraceParts {
  readonly trace: TransferTrace;
  readonly files: readonly string[];
  readonly moments: Moments;
  /** `performance.now()` when `save` was called. */
  readonly called_ms: number;
  /** From then until the transfer was started, which native counts from. */
  readonly beforeSeconds: number;
}

export function describeTrace({ trace, files, moments, called_ms, beforeSeconds }: SaveTraceParts): SaveTrace {
  const { stagedSeconds, writtenSeconds, durableSeconds, publishedSeconds } = moments;
  const sinceCall = (column: Float64Array): Float64Array =>
    column.map((seconds) => (seconds < 0 ? -1 : beforeSeconds + seconds));
  return {
    // Not `timeOrigin`: the clock may have been set since the process began.
    startedAt_ms: Date.now() - (performance.now() - called_ms),
    files,
    ...trace,
    gatherStartSeconds: sinceCall(trace.gatherStartSeconds),
    gatherEndSeconds: sinceCall(trace.gatherEndSeconds),
    queuedSeconds: sinceCall(trace.queuedSeconds),
    submittedSeconds: sinceCall(trace.submittedSeconds),
    completedSeconds: sinceCall(trace.completedSeconds),
    stagedSeconds,
    writtenSeconds,
    durableSeconds,
    publishedSeconds,
  };
}
