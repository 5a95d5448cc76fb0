import type { RankSample, Sample } from './result.js';

/** What one trial gave, before it is known in which round it ran. */
export type Measured = Omit<Sample, 'round'>;

/**
 * Of processes that began together: sums of bytes and of processor time, the slowest's times, the largest's memory.
 * @param startedAt ISO 8601
 */
export function togetherSample(ranks: RankSample[], startedAt: string): Measured {
  const slowest = (field: 'writtenSeconds' | 'pauseSeconds' | 'peakBytes'): number | undefined => {
    const values = ranks.flatMap((rank) => rank[field] ?? []);
    return values.length === 0 ? undefined : Math.max(...values);
  };
  const [writtenSeconds, pauseSeconds, peakBytes] = [slowest('writtenSeconds'), slowest('pauseSeconds'), slowest('peakBytes')];
  return {
    startedAt,
    bytes: ranks.reduce((sum, { bytes }) => sum + bytes, 0),
    seconds: Math.max(...ranks.map(({ seconds }) => seconds)),
    ...(writtenSeconds !== undefined && { writtenSeconds }),
    ...(pauseSeconds !== undefined && { pauseSeconds }),
    cpuSeconds: ranks.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
    ...(peakBytes !== undefined && { peakBytes }),
    ranks,
  };
}
