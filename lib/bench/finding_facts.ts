import type { MeasuredResult } from './findings.js';
import { gigabytesPerSecond, limitOf, ratiosOf } from './report/figures.js';
import type { Phase, Row, Sample, TraceRecord } from './result.js';
import { spread } from './statistics.js';

const networkFileSystems = /^(nfs4?|lustre|ceph|cifs|smb3|9p|gpfs|beegfs|glusterfs|afs|fuse\.(sshfs|ceph-fuse|glusterfs|s3fs|gcsfuse))$/;

export function isNetwork({ target }: MeasuredResult): boolean {
  return networkFileSystems.test(target.fileSystem);
}

/** Our row of a phase, if it has samples; not the scheduled one. */
export function ownRow({ rows }: MeasuredResult, phase: Phase): Row | undefined {
  return rows.find((row) => row.id === 'snapshard' && row.phase === phase && row.samples.length > 0);
}

export function medianOf(row: Row, value: (sample: Sample) => number | undefined): number | undefined {
  return spread(row.samples.flatMap((sample) => value(sample) ?? []))?.median;
}

/** 10^9 bytes a second, until durable. */
export function rateOf(row: Row): number {
  return medianOf(row, gigabytesPerSecond) ?? 0;
}

/** Over the limit of its phase in the same rounds. */
export function ratioToLimit(row: Row, { rows }: MeasuredResult): number | undefined {
  return spread(ratiosOf(row, limitOf(rows, row.phase)))?.median;
}

interface Work {
  /** Of the stager threads' time until all was written. */
  readonly busyShare: number;
  /** Of the busy time. */
  readonly copyShare: number;
}

/** How busy the stager threads were, in the median save. */
export function traceOf(row: Row): Work | undefined {
  const works = row.samples.flatMap(({ ranks }) => ranks.flatMap(({ trace }) => (trace && trace.file.length > 0 ? workOf(trace) : [])));
  const busy = spread(works.map(({ busyShare }) => busyShare));
  const copy = spread(works.map(({ copyShare }) => copyShare));
  return busy && copy && { busyShare: busy.median, copyShare: copy.median };
}

function workOf(trace: TraceRecord): Work {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + Math.max(0, value), 0);
  const [copy, hash] = [sum(trace.copySeconds), sum(trace.hashSeconds)];
  const begun = Math.min(...trace.gatherStartSeconds.filter((value) => value >= 0));
  const threads = new Set(trace.thread).size;
  const whole = threads * (trace.writtenSeconds - begun);
  return { busyShare: whole > 0 ? Math.min(1, (copy + hash) / whole) : 0, copyShare: copy / Math.max(copy + hash, 1e-9) };
}
