import { printable } from '../../../cli/text.js';
import type { BenchResult } from '../../result.js';
import { gigabytesPerSecond, limitOf } from '../figures.js';
import { medianSave, tracedSaves, type TracedSave } from '../trace/saves.js';
import { throughputOf } from '../trace/throughput.js';
import { timelineOf, type Timeline } from './timeline.js';

export interface RankLine {
  readonly label: string;
  /** 10^9 bytes a second, of each stretch. */
  readonly rates: readonly number[];
}

/** What the device completed over the course of one save, and how each of its blocks came there. */
export interface SaveChart {
  readonly name: string;
  readonly binSeconds: number;
  readonly seconds: number;
  readonly total: readonly number[];
  /** None for one rank; of more than eight, the two that ended first and last. */
  readonly ranks: readonly RankLine[];
  /** When the last rank had reached it. */
  readonly stagedSeconds: number;
  readonly writtenSeconds: number;
  readonly durableSeconds: number;
  /** Durable rate of the phase's limit in the same round. */
  readonly limit: { readonly label: string; readonly rate: number } | undefined;
  readonly timeline: Timeline;
}

const savesMax = 8;
const rankLinesMax = 8;

/** The most typical save first, then the slowest, then the others; eight at the most. */
export function saveCharts(result: BenchResult): SaveChart[] {
  const saves = tracedSaves(result);
  const median = medianSave(saves);
  if (median === undefined) return [];
  const slowest = saves.toSorted((left, right) => right.seconds - left.seconds)[0]!;
  const chosen = [...new Set([median, slowest, ...saves])].slice(0, savesMax);
  const several = new Set(saves.map(({ label }) => label)).size > 1;
  return chosen.map((save) => {
    const remark = save === median ? ', the median' : save === slowest ? ', the slowest' : '';
    const name = `${several ? `${save.label}, ` : ''}round ${save.round}${remark}`;
    return chartOf(printable(name), save, result);
  });
}

function chartOf(name: string, save: TracedSave, result: BenchResult): SaveChart {
  const { binSeconds, ranks, total } = throughputOf(save);
  const latest = (moment: 'stagedSeconds' | 'writtenSeconds' | 'durableSeconds'): number =>
    Math.max(...save.ranks.map(({ startSeconds, trace }) => startSeconds + trace[moment]));
  return {
    name,
    binSeconds,
    seconds: save.seconds,
    total: total.map(rounded),
    ranks: rankLines(save, ranks),
    stagedSeconds: latest('stagedSeconds'),
    writtenSeconds: latest('writtenSeconds'),
    durableSeconds: latest('durableSeconds'),
    limit: limitIn(result, save.round),
    timeline: timelineOf(save),
  };
}

const rounded = (value: number): number => Math.round(value * 1e4) / 1e4;

function rankLines({ ranks }: TracedSave, rates: readonly (readonly number[])[]): RankLine[] {
  if (ranks.length < 2) return [];
  const ends = ranks.map(({ startSeconds, trace }) => startSeconds + trace.publishedSeconds);
  const extremes = [ends.indexOf(Math.min(...ends)), ends.indexOf(Math.max(...ends))];
  const shown = ranks.length <= rankLinesMax ? ranks.map((_, index) => index) : [...new Set(extremes)];
  return shown.map((index) => ({ label: `rank ${ranks[index]!.rank}`, rates: rates[index]!.map(rounded) }));
}

function limitIn({ rows }: BenchResult, round: number): SaveChart['limit'] {
  const limit = limitOf(rows, 'save');
  const sample = limit?.samples.find((other) => other.round === round);
  return limit && sample && { label: printable(limit.label), rate: gigabytesPerSecond(sample) };
}
