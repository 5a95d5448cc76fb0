import Table from 'cli-table3';
import { rowMissing, verdict, type Round, type Row } from './rows.js';
import { formatSpread, spread, type Spread } from '../lib/bench/statistics.js';
import type { TrialKind } from './trials.js';
import { GiB } from './units.js';

export interface RowReport {
  id: string;
  label: string;
  unit: string;
  digits: number;
  bar: number | undefined;
  aim: number | undefined;
  measured: Spread | undefined;
  verdict: string;
  /** Why it was not measured; empty when it was. */
  skipped: string;
}

export interface TrialReport {
  name: string;
  gigabytesPerSecond: Spread;
  cpuSecondsPerGiB: Spread;
  staged_ms: Spread | undefined;
  how: string;
}

export function reportRows<Name extends string>(
  kinds: Readonly<Record<Name, TrialKind>>,
  rows: readonly Row<Name>[],
  rounds: readonly Round<Name>[],
): RowReport[] {
  return rows.map((row) => {
    const measured = spread(rounds.flatMap((round) => row.value(round) ?? []));
    const { id, label, unit, digits, bar, aim } = row;
    const reached = measured ? verdict(row, measured.median) : '';
    return { id, label, unit, digits, bar, aim, measured, verdict: reached, skipped: rowMissing(row, kinds) ?? '' };
  });
}

export function reportTrials<Name extends string>(
  names: readonly Name[],
  rounds: readonly Round<Name>[],
): TrialReport[] {
  return names.flatMap((name) => {
    const samples = rounds.flatMap((round) => round[name] ?? []);
    const gigabytesPerSecond = spread(samples.map(({ bytes, seconds }) => bytes / seconds / 1e9));
    const cpuSecondsPerGiB = spread(samples.map(({ bytes, cpuSeconds }) => cpuSeconds / (bytes / GiB)));
    if (!gigabytesPerSecond || !cpuSecondsPerGiB) return [];
    const staged_ms = spread(samples.flatMap(({ stagedSeconds }) => (stagedSeconds ? [stagedSeconds * 1000] : [])));
    return { name, gigabytesPerSecond, cpuSecondsPerGiB, staged_ms, how: samples[0]?.how ?? '' };
  });
}

const style = { head: [], border: [], compact: true };

export function rowTable(reports: readonly RowReport[]): string {
  const table = new Table({
    head: ['figure', 'bar', 'aim', 'median', 'min..max', 'reached'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'left'],
    style,
  });
  for (const report of reports) {
    const [median, range] = formatSpread(report.measured, report.digits);
    const { bar = '', aim = '', skipped, unit } = report;
    const withUnit = median && `${median} ${unit}`;
    table.push([report.label, bar, aim, withUnit, range, skipped ? 'skipped' : report.verdict]);
  }
  return table.toString();
}

export function trialTable(reports: readonly TrialReport[]): string {
  const table = new Table({
    head: ['trial', 'GB/s', 'min..max', 'CPU s/GiB', 'staged ms', 'how'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'left'],
    colWidths: [null, null, null, null, null, 28],
    wordWrap: true,
    style,
  });
  for (const report of reports) {
    const [median, range] = formatSpread(report.gigabytesPerSecond, 2);
    const [cpu] = formatSpread(report.cpuSecondsPerGiB, 3);
    const [staged] = formatSpread(report.staged_ms, 0);
    table.push([report.name, median, range, cpu, staged, report.how]);
  }
  return table.toString();
}
