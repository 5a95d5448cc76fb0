/** What the samples of a result come to, row by row. Terminal, page and comparison all show these. */
import { phases, type BenchResult, type Phase, type Row, type Sample } from '../result.js';
import { spread, type Spread } from '../statistics.js';
import { GiB } from './units.js';

export interface RowFigures {
  readonly row: Row;
  /** 10^9 bytes a second, until durable; of a restore, until read and verified. */
  readonly durable: Spread | undefined;
  /** 10^9 bytes a second, until the device had accepted the last byte. */
  readonly written: Spread | undefined;
  /** Durable rate over that of the phase's limit in the same round. */
  readonly ratio: Spread | undefined;
  readonly pauseSeconds: Spread | undefined;
  readonly cpuSecondsPerGiB: Spread | undefined;
  /** As {@link memoryOf}. */
  readonly memoryBytes: Spread | undefined;
  /** Share of the bytes that the page cache held when it began. */
  readonly cachedShare: Spread | undefined;
}

export interface PhaseFigures {
  readonly phase: Phase;
  /**
   * What the ratios are over: of the rows of kind `limit` the one with the highest median. One row for all rounds: the
   * better of two in each round would be the better luck.
   */
  readonly limit: Row | undefined;
  /** Limits first, then ours, then rivals; of one kind, the fastest first. */
  readonly rows: readonly RowFigures[];
  readonly missing: readonly Row[];
}

export const gigabytesPerSecond = ({ bytes, seconds }: { bytes: number; seconds: number }): number =>
  bytes / Math.max(seconds, 1e-9) / 1e9;

export const cpuSecondsPerGiB = ({ bytes, cpuSeconds }: { bytes: number; cpuSeconds: number }): number =>
  cpuSeconds / (Math.max(bytes, 1) / GiB);

/** One value for each sample that has it. */
export function valuesOf(samples: readonly Sample[], value: (sample: Sample) => number | undefined): number[] {
  return samples.flatMap((sample) => value(sample) ?? []);
}

export const writtenRate = ({ bytes, writtenSeconds }: Sample): number | undefined =>
  writtenSeconds === undefined ? undefined : gigabytesPerSecond({ bytes, seconds: writtenSeconds });

/** Of all ranks: resident beyond the tensors, and of a save what its files hold of the page cache at its end. */
export function memoryOf({ phase }: Row, { peakBytes, cachedBytes = 0, ranks }: Sample): number | undefined {
  if (peakBytes === undefined) return undefined;
  const peaks = ranks.length > 1 ? ranks.reduce((sum, rank) => sum + (rank.peakBytes ?? 0), 0) : peakBytes;
  return phase === 'save' ? peaks + cachedBytes : peaks;
}

/** Each round's durable rate over that of the limit in the same round; rounds that lack either are left out. */
export function ratiosOf(row: Row, limit: Row | undefined): number[] {
  const byRound = new Map(limit?.samples.map((sample) => [sample.round, gigabytesPerSecond(sample)]));
  return row.samples.flatMap((sample) => {
    const over = byRound.get(sample.round);
    return over === undefined ? [] : [gigabytesPerSecond(sample) / over];
  });
}

function figuresOf(row: Row, limit: Row | undefined): RowFigures {
  const over = (value: (sample: Sample) => number | undefined): Spread | undefined =>
    spread(valuesOf(row.samples, value));
  return {
    row,
    durable: over(gigabytesPerSecond),
    written: over(writtenRate),
    ratio: spread(ratiosOf(row, limit)),
    pauseSeconds: over((sample) => sample.pauseSeconds),
    cpuSecondsPerGiB: over(cpuSecondsPerGiB),
    memoryBytes: over((sample) => memoryOf(row, sample)),
    cachedShare: over(({ cachedBytes, bytes }) =>
      cachedBytes === undefined || row.phase === 'save' ? undefined : cachedBytes / Math.max(bytes, 1),
    ),
  };
}

const orderOfKinds: readonly Row['kind'][] = ['limit', 'ours', 'rival'];

const medianRate = (row: Row): number => spread(row.samples.map(gigabytesPerSecond))?.median ?? 0;

function inOrder(left: Row, right: Row): number {
  const kinds = orderOfKinds.indexOf(left.kind) - orderOfKinds.indexOf(right.kind);
  return kinds === 0 ? medianRate(right) - medianRate(left) : kinds;
}

/** What failed on the way is told as that: the rounds before would be compared with other rounds. */
const isMeasured = ({ samples, missing }: Row): boolean => samples.length > 0 && missing === undefined;

/** The row that the ratios of its phase are over. */
export function limitOf(rows: readonly Row[], phase: Phase): Row | undefined {
  return rows
    .filter((row) => row.phase === phase && row.kind === 'limit' && isMeasured(row))
    .toSorted(inOrder)
    .at(0);
}

/** All phases that have rows, in the order in which a run goes through them. */
export function figuresByPhase({ rows }: BenchResult): PhaseFigures[] {
  return phases
    .map((phase) => {
      const limit = limitOf(rows, phase);
      const ofPhase = rows.filter((row) => row.phase === phase).toSorted(inOrder);
      return {
        phase,
        limit,
        rows: ofPhase.filter(isMeasured).map((row) => figuresOf(row, limit)),
        missing: ofPhase.filter((row) => !isMeasured(row)),
      };
    })
    .filter(({ rows: measured, missing }) => measured.length + missing.length > 0);
}

/** How many rounds were measured. */
export function roundsOf({ settings }: BenchResult): number {
  return settings.repeat;
}
