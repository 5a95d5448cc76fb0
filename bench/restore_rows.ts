import { restoreTrialKinds, type RestoreSample, type RestoreTrialName } from './restore_trials.js';
import type { Limits } from './rows.js';
import { KiB, MiB } from './units.js';

/** The samples of one round; a trial that could not run is not there. */
export type RestoreRound = Partial<Record<RestoreTrialName, RestoreSample>>;

/** One figure to reach. All its trials run in the same round; each round gives one value, of which the median counts. */
export interface RestoreRow extends Limits {
  id: string;
  label: string;
  unit: string;
  needs: readonly RestoreTrialName[];
  value(round: RestoreRound): number | undefined;
}

type Figure = (sample: RestoreSample) => number;

const rate: Figure = ({ bytes, seconds }) => bytes / seconds;
const beyond: Figure = ({ residentBeyondBytes }) => residentBeyondBytes / MiB;
const openTime: Figure = ({ openSeconds }) => openSeconds * 1000;

function overFio(id: string, label: string, name: RestoreTrialName, figure: Figure = rate): RestoreRow {
  const value = ({ [name]: over, fio }: RestoreRound): number | undefined => over && fio && figure(over) / rate(fio);
  return { id, label, unit: 'x', digits: 2, better: 'higher', needs: [name, 'fio'], value };
}

function figure(id: string, label: string, unit: string, name: RestoreTrialName, of: Figure): RestoreRow {
  const value = ({ [name]: sample }: RestoreRound): number | undefined => sample && of(sample);
  return { id, label, unit, digits: 1, better: 'lower', needs: [name], value };
}

const speed = { bar: 0.9, aim: 0.97 };
const opening = { bar: 500, aim: 200 };
const memory = { bar: 128, aim: 32 };

export const restoreRows: readonly RestoreRow[] = [
  { ...overFio('leases', 'cold restore into leases, verified, over fio', 'leases'), ...speed },
  { ...overFio('verify', 'verify(), cold, over fio', 'verify'), ...speed },
  { ...overFio('fresh', 'cold restore into fresh leases, verified, over fio', 'fresh leases'), ...speed },
  overFio('unverified', 'into leases, verify: false, over fio', 'unverified'),
  overFio('buffers', 'readAll() into ArrayBuffers, over fio', 'buffers'),
  {
    ...figure('small', 'a 4 KiB tensor, cold: data read', 'KiB', 'small', (sample) =>
      Math.max(sample.readBytes, sample.fromDiskBytes) / KiB,
    ),
    bar: 8,
    aim: 4,
  },
  figure('small', 'a 4 KiB tensor, cold: open and read', 'ms', 'small', ({ seconds }) => seconds * 1000),
  { ...figure('open', 'open 100,000 tensors, manifests cached', 'ms', 'open 100,000', openTime), ...opening },
  { ...figure('open', 'open 100,000 tensors, cold', 'ms', 'open 100,000, cold', openTime), ...opening },
  {
    ...figure('columns', 'a quarter by columns: read over wanted', 'x', 'columns', (s) => s.readBytes / s.bytes),
    digits: 2,
  },
  overFio('columns', 'a quarter by columns: read, over fio', 'columns', ({ readBytes, seconds }) => readBytes / seconds),
  { ...figure('memory', 'resident beyond leases and pool', 'MiB', 'leases', beyond), ...memory },
  { ...figure('memory', 'resident beyond pool, verify()', 'MiB', 'verify', beyond), ...memory },
  { ...figure('memory', 'resident beyond leases and pool, columns', 'MiB', 'columns', beyond), ...memory },
];

export const restoreRowIds = [...new Set(restoreRows.map(({ id }) => id))];

/** Why a row cannot be measured here; `undefined` when it can. */
export function restoreRowMissing({ needs }: RestoreRow): string | undefined {
  return needs.map((name) => restoreTrialKinds[name].missing()).find((reason) => reason !== undefined);
}
