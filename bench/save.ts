import { writeFileSync } from 'node:fs';
import { describeMachine, type Machine } from './machine.js';
import type { Place } from './place.js';
import { reportRows, reportTrials, rowTable, trialTable, type RowReport, type TrialReport } from './report.js';
import { runRounds } from './rounds.js';
import { rowMissing, rows } from './rows.js';
import { trialNames } from './trials.js';
import { formatBytes } from './units.js';

export interface SaveOptions {
  dir: string;
  pairs: number;
  bytes: number;
  /** Ids of the rows to measure. */
  rows: readonly string[];
  /** Where the JSON goes; `-` is standard output. */
  json?: string;
}

export async function benchSave(options: SaveOptions, place: Place, signal: AbortSignal): Promise<void> {
  const wanted = rows.filter(({ id }) => options.rows.includes(id));
  for (const row of wanted) {
    const reason = rowMissing(row);
    if (reason) process.stderr.write(`skipped: ${row.label}: ${reason}\n`);
  }
  const needed = new Set(wanted.filter((row) => !rowMissing(row)).flatMap(({ needs }) => needs));
  const names = trialNames.filter((name) => needed.has(name));
  const rounds = await runRounds(names, options.pairs, options.bytes, place, signal);

  const rowReports = reportRows(wanted, rounds);
  const trialReports = reportTrials(rounds);
  const machine = describeMachine(options.dir);
  const { bytes, pairs, json } = options;
  const report = { machine, bytes, pairs, rows: rowReports, trials: trialReports, rounds };
  const text = `${JSON.stringify(report, null, 2)}\n`;
  if (json !== undefined && json !== '-') writeFileSync(json, text);
  if (json === '-') process.stdout.write(text);
  else process.stdout.write(tables(report));
}

type Report = Pick<SaveOptions, 'bytes' | 'pairs'> & { machine: Machine; rows: RowReport[]; trials: TrialReport[] };

function tables({ machine, bytes, pairs, rows: rowReports, trials }: Report): string {
  const { cpu, cores, memory, kernel, node, fileSystem, fio } = machine;
  return [
    trialTable(trials),
    rowTable(rowReports),
    `${formatBytes(bytes)} a checkpoint, ${pairs} pairs; ${cpu}, ${cores} cores, ${memory}`,
    `Linux ${kernel}, ${fileSystem}, Node ${node}, fio ${fio}`,
    '',
  ].join('\n');
}
