import { KiB, MiB } from '../../support/bytes.js';
import type { Sample } from './samples.js';

export type Measure = Exclude<keyof Sample, 'saves'>;

/**
 * By how much the median of the last quarter may lie above that of the second: the first grows heaps, pools and caches
 * to their working size. What is counted does not grow at all. Of 10,000 saves, 5,000 lie between the two medians: a
 * leak shows of 7 KiB of memory a save, of 0.5 KiB in the heap, of one mapping in 40 saves, or of one descriptor in all.
 */
export const tolerances: Readonly<Record<Measure, number>> = {
  descriptors: 0,
  rings: 0,
  eventDescriptors: 0,
  inotifyDescriptors: 0,
  unlinkedFiles: 0,
  threads: 0,
  // Threads that come and go leave the allocator arenas to use again, which split and join.
  mappings: 128,
  residentBytes: 32 * MiB,
  heapBytes: 2 * MiB,
  externalBytes: 256 * KiB,
  diskBytes: 256 * KiB,
  names: 4,
};

export const measures = Object.keys(tolerances) as Measure[];

export function medianOf(samples: readonly Sample[], measure: Measure): number {
  const sorted = samples.map((sample) => sample[measure]).sort((left, right) => left - right);
  return sorted[Math.floor((sorted.length - 1) / 2)]!;
}

/** What has grown, with its medians; empty where everything is flat. */
export function grown(samples: readonly Sample[]): string[] {
  const quarter = Math.floor(samples.length / 4);
  if (quarter === 0) throw new Error(`Four samples at least, and there are ${samples.length}.`);
  const [second, last] = [samples.slice(quarter, 2 * quarter), samples.slice(-quarter)];
  return measures.flatMap((measure) => {
    const [before, after] = [medianOf(second, measure), medianOf(last, measure)];
    return after - before > tolerances[measure] ? [`${measure} grew from ${before} to ${after}`] : [];
  });
}
