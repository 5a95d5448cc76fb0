import { writeFileSync } from 'node:fs';
import { describeMachine } from './machine.js';
import type { Place } from './place.js';
import { reportRows, reportTrials, rowTable, trialTable } from './report.js';
import { runRounds } from './rounds.js';
import { rowMissing, rows } from './rows.js';
import { trialNames } from './trials.js';
import { formatBytes, GiB } from './units.js';

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
  const { cpu, cores, kernel, node, fileSystem } = machine;
  const summary = `${formatBytes(options.bytes)}, ${options.pairs} pairs; ${cpu}, ${cores} cores, Linux ${kernel}, ${fileSystem}, Node ${node}`;
  const json = JSON.stringify({ machine, bytes: options.bytes, pairs: options.pairs, rows: rowReports, trials: trialReports, rounds }, null, 2);
  if (options.json === '-') {
    process.stdout.write(`${json}\n`);
    return;
  }
  process.stdout.write(`${trialTable(trialReports)}\n${rowTable(wanted, rowReports)}\n${summary}\n`);
  if (options.json !== undefined) writeFileSync(options.json, `${json}\n`);
}

/** What one trial needs at most: the sources, a pool, Node itself. */
export function memoryNeeded(bytes: number): number {
  return Math.max(bytes, GiB) + 2 * GiB;
}
