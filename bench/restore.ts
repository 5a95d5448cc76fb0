import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import Table from 'cli-table3';
import { describeConditions, type Conditions } from './conditions.js';
import type { Place } from '../lib/bench/place.js';
import { rowTable, type RowReport } from './report.js';
import { restoreRowMissing, restoreRows, type RestoreRound, type RestoreRow } from './restore_rows.js';
import { restoreTrialKinds, restoreTrialNames, saveCheckpoints, type RestoreTrialName } from './restore_trials.js';
import { verdict } from './rows.js';
import { formatSpread, spread } from '../lib/bench/statistics.js';
import { formatBytes, GiB } from './units.js';

export interface RestoreOptions {
  dir: string;
  pairs: number;
  bytes: number;
  /** Seconds that the device rests before each trial reads. */
  rest: number;
  /** Ids of the rows to measure. */
  rows: readonly string[];
  /** Where the JSON goes; `-` is standard output. */
  json?: string;
}

/** Runs the trials one after the other, and all of them again, `pairs` times: what is compared alternates. */
async function runRounds(
  names: readonly RestoreTrialName[],
  { pairs, bytes, rest }: RestoreOptions,
  place: Place,
  signal: AbortSignal,
): Promise<RestoreRound[]> {
  return place.use('checkpoints', async (folder) => {
    const saved = await saveCheckpoints(folder, bytes, signal);
    const rounds: RestoreRound[] = [];
    for (let pair = 1; pair <= pairs; pair++) {
      const round: RestoreRound = {};
      for (const name of names) {
        const sample = await restoreTrialKinds[name].run(saved, bytes, Date.now() + rest * 1000, signal);
        round[name] = sample;
        const rate = (sample.bytes / sample.seconds / 1e9).toFixed(2);
        const [open_ms, total_ms] = [sample.openSeconds, sample.seconds].map((seconds) => (seconds * 1000).toFixed(0));
        process.stderr.write(
          `${pair}/${pairs}  ${name.padEnd(20)} ${rate.padStart(6)} GB/s  ` +
            `open ${open_ms} of ${total_ms} ms  load ${loadavg()[0]?.toFixed(1)}  ${sample.how}\n`,
        );
      }
      rounds.push(round);
    }
    return rounds;
  });
}

export async function benchRestore(options: RestoreOptions, place: Place, signal: AbortSignal): Promise<void> {
  const wanted = restoreRows.filter(({ id }) => options.rows.includes(id));
  for (const row of wanted) {
    const reason = restoreRowMissing(row);
    if (reason) process.stderr.write(`skipped: ${row.label}: ${reason}\n`);
  }
  const needed = new Set(wanted.filter((row) => !restoreRowMissing(row)).flatMap(({ needs }) => needs));
  const names = restoreTrialNames.filter((name) => needed.has(name));
  const loadBefore = loadavg()[0]!;
  const rounds = await runRounds(names, options, place, signal);

  const { bytes, pairs, json } = options;
  const machine = await describeConditions(options.dir);
  const report = { machine, loadBefore, bytes, pairs, rows: reportRows(wanted, rounds), rounds };
  const text = `${JSON.stringify(report, null, 2)}\n`;
  if (json !== undefined && json !== '-') writeFileSync(json, text);
  if (json === '-') process.stdout.write(text);
  else process.stdout.write(tables(report));
}

function reportRows(rows: readonly RestoreRow[], rounds: readonly RestoreRound[]): RowReport[] {
  return rows.map((row) => {
    const { id, label, unit, digits, bar, aim } = row;
    const measured = spread(rounds.flatMap((round) => row.value(round) ?? []));
    const reached = measured ? verdict(row, measured.median) : '';
    return { id, label, unit, digits, bar, aim, measured, verdict: reached, skipped: restoreRowMissing(row) ?? '' };
  });
}

interface Report {
  machine: Conditions;
  loadBefore: number;
  bytes: number;
  pairs: number;
  rows: RowReport[];
  rounds: RestoreRound[];
}

function trialTable(rounds: readonly RestoreRound[]): string {
  const table = new Table({
    head: ['trial', 'GB/s', 'min..max', 'CPU s/GiB', 'open ms', 'how'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'left'],
    colWidths: [null, null, null, null, null, 40],
    wordWrap: true,
    style: { head: [], border: [], compact: true },
  });
  for (const name of restoreTrialNames) {
    const samples = rounds.flatMap((round) => round[name] ?? []);
    if (samples.length === 0) continue;
    const moved = samples.filter(({ bytes }) => bytes > 0);
    const [median, range] = formatSpread(spread(moved.map(({ bytes, seconds }) => bytes / seconds / 1e9)), 2);
    const [cpu] = formatSpread(spread(moved.map(({ bytes, cpuSeconds }) => cpuSeconds / (bytes / GiB))), 3);
    const [open] = formatSpread(spread(samples.map(({ openSeconds }) => openSeconds * 1000)), 0);
    table.push([name, median, range, cpu, open, samples[0]!.how]);
  }
  return table.toString();
}

function tables({ machine, loadBefore, bytes, pairs, rows, rounds }: Report): string {
  const { cpu, cores, memory, kernel, node, fileSystem, fio } = machine;
  return [
    trialTable(rounds),
    rowTable(rows),
    `${formatBytes(bytes)} a checkpoint, ${pairs} pairs, a load of ${loadBefore.toFixed(1)} before`,
    `${cpu}, ${cores} cores, ${memory}; Linux ${kernel}, ${fileSystem}, Node ${node}, fio ${fio}`,
    '',
  ].join('\n');
}
