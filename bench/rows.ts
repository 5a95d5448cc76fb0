import { trialKinds, type Sample, type TrialName } from './trials.js';
import { GiB, MiB } from './units.js';

/** The samples of one round; a trial that could not run is not there. */
export type Round = Partial<Record<TrialName, Sample>>;

/** What a figure, to so many digits, should come to; `undefined` when it is only reported. */
export interface Limits {
  digits: number;
  bar?: number;
  aim?: number;
  better: 'higher' | 'lower';
}

/** One figure to reach. All its trials run in the same round; each round gives one value, of which the median counts. */
export interface Row extends Limits {
  id: string;
  label: string;
  unit: string;
  needs: readonly TrialName[];
  value(round: Round): number | undefined;
}

const rate = (sample: Sample): number => sample.bytes / sample.seconds;
const nextRate = (sample: Sample): number => sample.bytes / (sample.nextSeconds ?? NaN);
const stagedRate = (sample: Sample): number => sample.bytes / (sample.nextStagedSeconds ?? sample.seconds);
const cpuPerGiB = (sample: Sample): number => sample.cpuSeconds / (sample.bytes / GiB);

type Pair = [over: TrialName, under: TrialName];

function ratioRow(id: string, label: string, [over, under]: Pair, figure: (sample: Sample) => number) {
  const value = (round: Round): number | undefined => {
    const [above, below] = [round[over], round[under]];
    return above && below ? figure(above) / figure(below) : undefined;
  };
  return { id, label, unit: 'x', digits: 2, needs: [over, under], value, better: 'higher' } satisfies Row;
}

function figureRow(
  id: string,
  label: string,
  unit: string,
  name: TrialName,
  figure: (sample: Sample) => number | undefined,
) {
  const value = (round: Round): number | undefined => {
    const sample = round[name];
    return sample && figure(sample);
  };
  return { id, label, unit, digits: 1, needs: [name], value, better: 'lower' } satisfies Row;
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

export const rows: readonly Row[] = [
  { ...ratioRow('durable', '64 tensors, durable, over fio', ['save 64', 'fio'], rate), bar: 0.92, aim: 0.98 },
  { ...ratioRow('tensors', '100,000 tensors, over 64, save 1', manyOverFew, rate), bar: 0.85, aim: 0.95 },
  { ...ratioRow('tensors', '100,000 tensors, over 64, save 2', manyOverFew, nextRate), bar: 0.85, aim: 0.95 },
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
export function rowMissing(row: Row): string | undefined {
  return row.needs.map((name) => trialKinds[name].missing()).find((reason) => reason !== undefined);
}

export type Verdict = 'aim' | 'bar' | 'missed' | '';

export function verdict({ digits, bar, aim, better }: Limits, median: number): Verdict {
  if (bar === undefined || aim === undefined) return '';
  const shown = Number(median.toFixed(digits));
  const reaches = (limit: number): boolean => (better === 'higher' ? shown >= limit : shown <= limit);
  if (reaches(aim)) return 'aim';
  return reaches(bar) ? 'bar' : 'missed';
}
