/**
 * Runs the classes of faults for as long as asked: `npm run soak -- --minutes 30`. Every finding comes with the command
 * that repeats it; exit status 1 where there is one.
 */
import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import { loadClasses } from './classes.js';
import { runSoak, type ClassReport } from './runner.js';
import type { SoakClass } from './soak_class.js';

interface Options {
  minutes: number;
  class?: string[];
  seed: number;
  trials: number;
  keepGoing: boolean;
  json?: string;
  list: boolean;
}

const seeds = 2 ** 32;

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('Expected a number above 0.');
  return value;
}

function seed(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value >= seeds) throw new InvalidArgumentError('Expected a seed.');
  return value;
}

const options = new Command('soak')
  .description('Runs the classes of faults in turn, and reports what they find.')
  .option('--minutes <number>', 'for how long (default 10; with --trials, until they are done)', positive)
  .option('--class <name...>', 'only these')
  .option('--seed <seed>', 'of the first trial of each class', seed, randomInt(seeds))
  .option('--trials <number>', 'of each class at most', positive, Infinity)
  .option('--keep-going', 'after a finding', false)
  .option('--json <file>', 'where to write the report')
  .option('--list', 'the classes', false)
  .parse()
  .opts<Omit<Options, 'minutes'> & { minutes?: number }>();
const minutes = options.minutes ?? (options.trials === Infinity ? 10 : Infinity);

function chosen(all: readonly SoakClass[]): readonly SoakClass[] {
  const unknown = options.class?.find((name) => !all.some((soak) => soak.name === name));
  if (unknown !== undefined) throw new Error(`There is no class ${unknown}: ${all.map(({ name }) => name).join(', ')}.`);
  return all.filter(({ name }) => options.class?.includes(name) ?? true);
}

function table(reports: readonly ClassReport[]): string {
  const head = ['class', 'trials', 'cases', 'seconds', 'findings'];
  const rows = new Table({ head, style: { head: [], border: [], compact: true } });
  for (const { name, trials, cases, called, seconds, findings, skipped } of reports) {
    if (skipped === undefined) rows.push([name, trials, `${cases} ${called}`, seconds.toFixed(0), findings.length]);
    else rows.push([name, '', `left out: ${skipped}`, '', '']);
  }
  return rows.toString();
}

function tallies(reports: readonly ClassReport[]): string[] {
  const told = reports.filter(({ tally }) => Object.keys(tally).length > 0);
  return told.map(({ name, tally }) => `${name}: ${Object.entries(tally).map(([what, count]) => `${count} ${what}`).join(', ')}`);
}

const classes = chosen(await loadClasses());
if (options.list) {
  for (const { name, about } of classes) console.log(`${name}: ${about}`);
  process.exit(0);
}
let stopped = false;
process.once('SIGINT', () => {
  stopped = true;
});
console.log(`seed ${options.seed}, Node.js ${process.version}`);
const reports = await runSoak({
  ...{ classes, seed: options.seed, seconds: minutes * 60, trials: options.trials, keepGoing: options.keepGoing },
  onFinding: (soak, { message, replay }) => {
    console.log(`FOUND by ${soak.name}: ${message}\n  ${replay}`);
  },
  stopped: () => stopped,
});
console.log(table(reports));
for (const line of tallies(reports)) console.log(line);
if (options.json !== undefined) {
  writeFileSync(options.json, `${JSON.stringify({ seed: options.seed, node: process.version, classes: reports }, null, 2)}\n`);
}
const found = reports.reduce((sum, { findings }) => sum + findings.length, 0);
console.log(`seed ${options.seed}: ${reports.reduce((sum, { trials }) => sum + trials, 0)} trials, ${found} findings`);
process.exitCode = found === 0 ? 0 : 1;
