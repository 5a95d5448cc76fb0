import { getHeapStatistics } from 'node:v8';
import { SnapshardError } from '../errors.js';

/** What one slice takes in memory, with its name, shape and tensor, and as much again to be on the safe side. */
const bytesOfSlice = 1024;
/** A `Map` of V8 holds 2^24 entries at most. */
const entriesMax = 16_000_000;

/**
 * The heap of JavaScript ends the process when it is full, so that what a checkpoint lists must be known to fit.
 * @param count slices so far
 * @throws {SnapshardError} `ERR_SNAPSHARD_NO_MEMORY`
 */
export function checkSliceCount(count: number): void {
  const limit = Math.min(Math.floor(getHeapStatistics().heap_size_limit / bytesOfSlice), entriesMax);
  if (count <= limit) return;
  throw new SnapshardError(
    'ERR_SNAPSHARD_NO_MEMORY',
    `It lists more than the ${limit} tensors and slices for which this process has memory: ` +
      'give it more (`node --max-old-space-size=<MiB>`).',
  );
}
