import { writeFileSync } from 'node:fs';
import { describeConditions, type Conditions } from './conditions.js';
import type { Place } from '../lib/bench/place.js';
import { reportRows, reportTrials, rowTable, trialTable, type RowReport, type TrialReport } from './report.js';
import { runRounds } from './rounds.js';
import { rowMissing, type Row } from './rows.js';
import type { TrialKind } from './trials.js';
import { formatBytes } from './units.js';

export interface MeasureOptions {
  dir: string;
  pairs: number;
  bytes: number;
  /** Ids of the rows to measure. */
  rows: readonly string[];
  /** Where the JSON goes; `-` is standard output. */
  json?: string;
}

export interface Bench<Name extends string> {
  kinds: Readonly<Record<Name, TrialKind>>;
  /** Of the trials, in the order in which a round runs them. */
  names: readonly Name[];
  rows: readonly Row<Name>[];
}

/** Runs the trials that the wanted rows need, and reports. */
export async function measure<Name extends string>(
  { kinds, names: allNames, rows }: Bench<Name>,
  options: MeasureOptions,
  place: Place,
  signal: AbortSignal,
): Promise<void> {
  const wanted = rows.filter(({ id }) => options.rows.includes(id));
  for (const row of wanted) {
    const reason = rowMissing(row, kinds);
    if (reason) process.stderr.write(`skipped: ${row.label}: ${reason}\n`);
  }
  const needed = new Set(wanted.filter((row) => !rowMissing(row, kinds)).flatMap(({ needs }) => needs));
  const names = allNames.filter((name) => needed.has(name));
  const rounds = await runRounds(kinds, names, options.pairs, options.bytes, place, signal);

  const rowReports = reportRows(kinds, wanted, rounds);
  const trialReports = reportTrials(names, rounds);
  const machine = await describeConditions(options.dir);
  const { bytes, pairs, json } = options;
  const report = { machine, bytes, pairs, rows: rowReports, trials: trialReports, rounds };
  const text = `${JSON.stringify(report, null, 2)}\n`;
  if (json !== undefined && json !== '-') writeFileSync(json, text);
  if (json === '-') process.stdout.write(text);
  else process.stdout.write(tables(report));
}

type Report = Pick<MeasureOptions, 'bytes' | 'pairs'> & { machine: Conditions; rows: RowReport[]; trials: TrialReport[] };

function tables({ machine, bytes, pairs, rows: rowReports, trials }: Report): string {
  const { cpu, cores, memory, kernel, node, fileSystem, fio, gpu } = machine;
  return [
    trialTable(trials),
    rowTable(rowReports),
    `${formatBytes(bytes)} a checkpoint, ${pairs} pairs; ${cpu}, ${cores} cores, ${memory}`,
    `Linux ${kernel}, ${fileSystem}, Node ${node}, fio ${fio}, GPU ${gpu}`,
    '',
  ].join('\n');
}
