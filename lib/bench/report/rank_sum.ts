/** As many ways to draw as 2^53 can count, and some milliseconds of work. */
const exactMax = 50;

/**
 * Two-sided probability that two samples of one distribution differ as much as these: the rank-sum test of Wilcoxon
 * (Biometrics Bulletin 1, 1945) and Mann and Whitney (Ann. Math. Statist. 18, 1947). Ties share their mean rank. Exact,
 * over all ways to deal the ranks out, up to 50 values; beyond, by the normal approximation with its correction for
 * ties. 1 where either is empty.
 */
export function rankSumProbability(left: readonly number[], right: readonly number[]): number {
  if (left.length === 0 || right.length === 0) return 1;
  const ranks = doubledRanks([...left, ...right]);
  const sum = ranks.slice(0, left.length).reduce((total, rank) => total + rank, 0);
  const total = left.length + right.length;
  const distance = Math.abs(sum - left.length * (total + 1));
  return total <= exactMax
    ? exactProbability(ranks, left.length, distance)
    : normalProbability(ranks, left.length, right.length, distance);
}

/** Twice the mean rank of each value, from 2 on: whole numbers also where values are tied. */
function doubledRanks(values: readonly number[]): number[] {
  const sorted = values.toSorted((a, b) => a - b);
  return values.map((value) => sorted.indexOf(value) + sorted.lastIndexOf(value) + 2);
}

/** Of all ways to choose `size` ranks, the share whose sum lies at least `distance` from the mean. */
function exactProbability(ranks: readonly number[], size: number, distance: number): number {
  const ways = Array.from({ length: size + 1 }, () => new Map<number, number>());
  ways[0]!.set(0, 1);
  for (const rank of ranks) {
    for (let chosen = size; chosen > 0; chosen--) {
      for (const [sum, count] of ways[chosen - 1]!) {
        ways[chosen]!.set(sum + rank, (ways[chosen]!.get(sum + rank) ?? 0) + count);
      }
    }
  }
  const mean = size * (ranks.length + 1);
  let all = 0;
  let asFar = 0;
  for (const [sum, count] of ways[size]!) {
    all += count;
    if (Math.abs(sum - mean) >= distance) asFar += count;
  }
  return asFar / all;
}

function normalProbability(ranks: readonly number[], left: number, right: number, distance: number): number {
  const mean = ranks.length + 1;
  const variance = ranks.reduce((sum, rank) => sum + (rank - mean) ** 2, 0) / (ranks.length - 1);
  // The variance of a sum of `left` ranks drawn without replacement; a step of one rank is 2 here.
  const deviation = Math.sqrt((variance * left * right) / ranks.length);
  return deviation === 0 ? 1 : Math.min(1, 2 * upperTail(Math.max(0, distance - 1) / deviation));
}

/** Of the standard normal distribution, within 1e-7: Abramowitz and Stegun, 26.2.17. */
function upperTail(z: number): number {
  const t = 1 / (1 + 0.2316419 * z);
  const series = [0.31938153, -0.356563782, 1.781477937, -1.821255978, 1.330274429];
  const sum = series.reduceRight((rest, factor) => t * (factor + rest), 0);
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * sum;
}
