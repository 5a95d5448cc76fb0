import { tableLines, type Column } from '../../cli/table.js';
import { count } from '../../cli/text.js';
import type { Loss, Meaning } from '../result.js';
import { listLines } from './text_lines.js';
import { shareIn, shortSize, timeIn } from './units.js';

/** Intervals of the table besides the best ones. */
const intervalsMax = 8;

export function meaningHead({
  stateBytes,
  ranks,
  stepSeconds,
  meanTimeBetweenFailuresSeconds,
  saveSeconds,
  restoreSeconds,
}: Meaning): string {
  const step = stepSeconds === undefined ? '' : ` a step takes ${timeIn(stepSeconds)},`;
  return (
    `For ${shortSize(stateBytes)} of state over ${count(ranks, 'rank')}:${step} something fails every ` +
    `${timeIn(meanTimeBetweenFailuresSeconds)}, a save is durable after ${timeIn(saveSeconds)}, a restore takes ${timeIn(restoreSeconds)}.`
  );
}

export const meaningSource =
  "The best interval is that of Young's and Daly's formula: J. W. Young, CACM 17 (1974); J. T. Daly, FGCS 22 (2006).";

/** `9.2 min (229 steps)` */
export function intervalText(seconds: number, stepSeconds: number | undefined): string {
  return stepSeconds === undefined || stepSeconds === 0
    ? timeIn(seconds)
    : `${timeIn(seconds)} (${count(Math.max(1, Math.round(seconds / stepSeconds)), 'step')})`;
}

export interface IntervalLoss {
  readonly intervalSeconds: number;
  /** In the order of `meaning.losses`; `undefined` where that way has no such point. */
  readonly shares: readonly (number | undefined)[];
}

/** Some of the intervals of the points, evenly picked. */
export function lossesByInterval({ losses }: Meaning, most = intervalsMax): IntervalLoss[] {
  const intervals = [...new Set(losses.flatMap(({ points }) => points.map((point) => point.intervalSeconds)))].toSorted(
    (a, b) => a - b,
  );
  const rows = intervals.map((intervalSeconds) => ({
    intervalSeconds,
    shares: losses.map(({ points }) => points.find((point) => point.intervalSeconds === intervalSeconds)?.lostShare),
  }));
  const shared = rows.filter(({ shares }) => shares.every((share) => share !== undefined));
  const from = shared.length > 0 ? shared : rows;
  const picked = Math.min(most, from.length);
  return Array.from(
    { length: picked },
    (_, index) => from[Math.round((index * (from.length - 1)) / Math.max(1, picked - 1))]!,
  );
}

function wayColumns(meaning: Meaning): Column<Loss>[] {
  return [
    { title: 'saves', text: ({ way }) => way },
    { title: 'pause a save', align: 'right', text: ({ pauseSeconds }) => timeIn(pauseSeconds) },
    {
      title: 'best interval',
      align: 'right',
      text: ({ bestIntervalSeconds }) => intervalText(bestIntervalSeconds, meaning.stepSeconds),
    },
    { title: 'time lost then', align: 'right', text: ({ lostShare }) => shareIn(lostShare) },
  ];
}

function intervalColumns({ losses }: Meaning): Column<IntervalLoss>[] {
  return [
    { title: 'a save every', align: 'right', text: ({ intervalSeconds }) => timeIn(intervalSeconds) },
    ...losses.map(({ way }, index): Column<IntervalLoss> => ({
      title: `lost, ${way}`,
      align: 'right',
      text: ({ shares }) => (shares[index] === undefined ? '' : shareIn(shares[index])),
    })),
  ];
}

export function meaningLines(meaning: Meaning | undefined, width: number): string[] {
  if (meaning === undefined) return [];
  const intervals = lossesByInterval(meaning);
  return [
    ...listLines([meaningHead(meaning)], width, () => ''),
    '',
    ...tableLines(wayColumns(meaning), meaning.losses, width),
    ...(intervals.length === 0 ? [] : ['', ...tableLines(intervalColumns(meaning), intervals, width)]),
    '',
    ...listLines([meaningSource], width, () => ''),
  ];
}
