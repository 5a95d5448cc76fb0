import type { Sample, TrialKind, TrialName } from './trials.js';
import { GiB, MiB } from './units.js';

/** The samples of one round; a trial that could not run is not there. */
export type Round<Name extends string = TrialName> = Partial<Record<Name, Sample>>;

/** What a figure, to so many digits, should come to; `undefined` when it is only reported. */
export interface Limits {
  digits: number;
  bar?: number;
  aim?: number;
  better: 'higher' | 'lower';
}

/** One figure to reach. All its trials run in the same round; each round gives one value, of which the median counts. */
export interface Row<Name extends string = TrialName> extends Limits {
  id: string;
  label: string;
  unit: string;
  needs: readonly Name[];
  value(round: Round<Name>): number | undefined;
}

export const rate = (sample: Sample): number => sample.bytes / sample.seconds;
const nextRate = (sample: Sample): number => sample.bytes / (sample.nextSeconds ?? NaN);
export const stagedRate = (sample: Sample): number => sample.bytes / (sample.nextStagedSeconds ?? sample.seconds);
const cpuPerGiB = (sample: Sample): number => sample.cpuSeconds / (sample.bytes / GiB);

type Pair<Name extends string = TrialName> = readonly [over: Name, under: Name];

/** @param figureBelow of the trial that it is set against, where that is another figure */
export function ratioRow<Name extends string>(
  id: string,
  label: string,
  [over, under]: Pair<Name>,
  figure: (sample: Sample) => number,
  figureBelow = figure,
): Row<Name> {
  const value = (round: Round<Name>): number | undefined => {
    const [above, below] = [round[over], round[under]];
    return above && below ? figure(above) / figureBelow(below) : undefined;
  };
  return { id, label, unit: 'x', digits: 2, needs: [over, under], value, better: 'higher' };
}

export function figureRow<Name extends string>(
  id: string,
  label: string,
  unit: string,
  name: Name,
  figure: (sample: Sample) => number | undefined,
): Row<Name> {
  const value = (round: Round<Name>): number | undefined => {
    const sample = round[name];
    return sample && figure(sample);
  };
  return { id, label, unit, digits: 1, needs: [name], value, better: 'lower' };
}

function heldRows(count: string, name: TrialName, limits: [bar: number, aim: number][]): Row[] {
  return limits.map(([bar, aim], index) => ({
    ...figureRow('held', `thread held, ${count} tensors, save ${index + 1}`, 'ms', name, (s) => s.held_ms?.[index]),
    bar,
    aim,
  }));
}

const loop = 'loop 2 threads, 1 GiB';
const staged = { bar: 0.85, aim: 0.95 };
const manyOverFew: Pair = ['save 100,000', 'save 64'];

const tracedPair: Pair = ['save 64 traced', 'save 64'];
const traced = { digits: 4, bar: 1.01, aim: 1.002 };

function tracedRow(label: string, name: TrialName): Row {
  return { ...figureRow('trace', label, 'x', name, (sample) => sample.tracedRatio), ...traced };
}

export const rows: readonly Row[] = [
  { ...ratioRow('durable', '64 tensors, durable, over fio', ['save 64', 'fio'], rate), bar: 0.92, aim: 0.98 },
  { ...ratioRow('tensors', '100,000 tensors, over 64, save 1', manyOverFew, rate), bar: 0.85, aim: 0.95 },
  { ...ratioRow('tensors', '100,000 tensors, over 64, save 2', manyOverFew, nextRate), bar: 0.85, aim: 0.95 },
  { ...ratioRow('trace', 'traced, durable, over untraced', tracedPair, rate), digits: 3, bar: 0.99, aim: 0.998 },
  { ...ratioRow('trace', 'traced, CPU s/GiB, over untraced', tracedPair, cpuPerGiB), better: 'lower', ...traced },
  tracedRow('the same, staging alone, by turns', 'staged, traced by turns'),
  tracedRow('the same, tensors of 4 KiB', 'staged 4 KiB, traced by turns'),
  ratioRow('pwrite', 'pwrite engine, over io_uring', ['save 64 pwrite', 'save 64'], rate),
  ratioRow('buffered', 'buffered, over direct', ['save 64 buffered', 'save 64'], rate),
  {
    ...ratioRow('cpu', 'CPU s/GiB, over memcpy + XXH3', ['save 64', 'loop 1 thread, 1 GiB'], cpuPerGiB),
    better: 'lower',
    bar: 1.5,
    aim: 1.2,
  },
  {
    ...figureRow('inplace', 'CPU s/GiB, leases in place', 's', 'save 64 in place', cpuPerGiB),
    digits: 3,
    bar: 0.25,
    aim: 0.16,
  },
  { ...ratioRow('staged', '1 GiB staged, leases, over loop', ['staged 1 GiB, leases', loop], stagedRate), ...staged },
  { ...ratioRow('staged', '1 GiB staged, buffers, over loop', ['staged 1 GiB', loop], stagedRate), ...staged },
  ...heldRows('1,000', 'held 1,000', [
    [20, 5],
    [20, 5],
  ]),
  ...heldRows('100,000', 'held 100,000', [
    [500, 200],
    [100, 40],
  ]),
  {
    ...figureRow('memory', 'resident beyond sources and pool', 'MiB', 'save 64', (s) =>
      s.residentBeyondBytes === undefined ? undefined : s.residentBeyondBytes / MiB,
    ),
    bar: 128,
    aim: 32,
  },
];

export const rowIds = [...new Set(rows.map(({ id }) => id))];

/** Why a row cannot be measured here; `undefined` when it can. */
export function rowMissing<Name extends string>(
  row: Row<Name>,
  kinds: Readonly<Record<Name, TrialKind>>,
): string | undefined {
  return row.needs.map((name) => kinds[name].missing()).find((reason) => reason !== undefined);
}

export type Verdict = 'aim' | 'bar' | 'missed' | '';

export function verdict({ digits, bar, aim, better }: Limits, median: number): Verdict {
  if (aim === undefined) return '';
  const shown = Number(median.toFixed(digits));
  const reaches = (limit: number): boolean => (better === 'higher' ? shown >= limit : shown <= limit);
  if (reaches(aim)) return 'aim';
  if (bar === undefined) return '';
  return reaches(bar) ? 'bar' : 'missed';
}
