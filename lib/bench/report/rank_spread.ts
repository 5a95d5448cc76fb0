import type { BenchResult, Row } from '../result.js';
import { spread } from '../statistics.js';
import { gigabytesPerSecond } from './figures.js';
import { digits } from './units.js';

export interface RankSpread {
  readonly row: Row;
  /** Medians over the rounds, in 10^9 bytes a second: of the slowest rank of each round, and of its fastest. */
  readonly slowest: number;
  readonly fastest: number;
  /** The rank that was the slowest one most often, and in how many of the rounds. */
  readonly slowestRank: number;
  readonly slowestRounds: number;
  readonly rounds: number;
}

/** How far apart the ranks of our rows were; nothing for one rank. */
export function rankSpreads({ rows }: BenchResult): RankSpread[] {
  return rows
    .filter(({ kind, samples }) => kind === 'ours' && samples.some(({ ranks }) => ranks.length > 1))
    .map((row) => {
      const rates = row.samples.map(({ ranks }) => ranks.map(gigabytesPerSecond));
      const slowestRanks = rates.map((ofRound) => ofRound.indexOf(Math.min(...ofRound)));
      const times = (rank: number): number => slowestRanks.filter((other) => other === rank).length;
      const slowestRank = slowestRanks.toSorted((left, right) => times(right) - times(left) || left - right)[0]!;
      return {
        row,
        slowest: spread(rates.map((ofRound) => Math.min(...ofRound)))!.median,
        fastest: spread(rates.map((ofRound) => Math.max(...ofRound)))!.median,
        slowestRank,
        slowestRounds: times(slowestRank),
        rounds: rates.length,
      };
    });
}

export function rankSentences(result: BenchResult): string[] {
  return rankSpreads(result).map(({ row, slowest, fastest, slowestRank, slowestRounds, rounds }) => {
    const often = `rank ${slowestRank} slowest in ${slowestRounds} of ${rounds} rounds`;
    return `${row.phase} by rank: slowest ${digits(slowest)}, fastest ${digits(fastest)} GB/s; ${often}`;
  });
}
