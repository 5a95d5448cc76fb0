import type { RankTrace, TracedSave } from './saves.js';

/** Bytes that the device completed, by equal stretches of time. */
export interface Throughput {
  readonly binSeconds: number;
  /** 10^9 bytes a second, of each stretch from the beginning of the save on; a list for each rank. */
  readonly ranks: readonly (readonly number[])[];
  readonly total: readonly number[];
}

const binsMax = 150;
const blocksOfBinMin = 3;
const gapsOfBinMin = 3;

/**
 * How long a stretch is: 1, 2 or 5 times a power of ten seconds, so that there are at most 150 of them and each holds,
 * at an even rate, three blocks or more, and three of the bursts that some devices complete them in: with fewer, the
 * size of a block or of a burst shows as noise.
 */
export function binSecondsOf({ seconds, ranks }: TracedSave): number {
  const blocks = Math.max(1, ...ranks.map(({ trace }) => trace.completedSeconds.length));
  const gap = Math.max(0, ...ranks.map(({ trace }) => typicalGap(trace.completedSeconds)));
  const least = Math.max(seconds / binsMax, (seconds * blocksOfBinMin) / blocks, gap * gapsOfBinMin, 1e-6);
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= least * (1 - 1e-9)) ?? 10 * power;
}

/** Half of the time passes in longer gaps between two completions, half in shorter ones: a stall does not count for more. */
function typicalGap(completedSeconds: readonly number[]): number {
  const moments = completedSeconds.filter((seconds) => seconds >= 0).toSorted((left, right) => left - right);
  const gaps = moments.slice(1).map((moment, index) => moment - moments[index]!);
  const ascending = gaps.toSorted((left, right) => left - right);
  let left = gaps.reduce((sum, gap) => sum + gap, 0) / 2;
  return ascending.find((gap) => (left -= gap) <= 0) ?? 0;
}

function ratesOf({ trace, startSeconds }: RankTrace, bins: number, binSeconds: number): number[] {
  const bytes = new Array<number>(bins).fill(0);
  trace.completedSeconds.forEach((completed, block) => {
    if (completed < 0) return;
    const bin = Math.min(bins - 1, Math.floor((startSeconds + completed) / binSeconds));
    bytes[bin]! += trace.bytes[block] ?? 0;
  });
  return bytes.map((ofBin) => ofBin / binSeconds / 1e9);
}

/** A block counts where it was completed; one that never was does not count. */
export function throughputOf(save: TracedSave): Throughput {
  const binSeconds = binSecondsOf(save);
  const bins = Math.max(1, Math.ceil(save.seconds / binSeconds));
  const ranks = save.ranks.map((rank) => ratesOf(rank, bins, binSeconds));
  const total = Array.from({ length: bins }, (_, bin) => ranks.reduce((sum, rates) => sum + rates[bin]!, 0));
  return { binSeconds, ranks, total };
}
