import { writeFile } from 'node:fs/promises';
import { costOf, makePlan, runBench, type Cost } from '../bench/bench.js';
import { findLeftovers } from '../bench/leftovers.js';
import { makePlace, placePrefix } from '../bench/place.js';
import { checkPython, type PythonCheck } from '../bench/python.js';
import { benchTable, chromeTrace, compareTable, htmlPage, readResult } from '../bench/report/index.js';
import { timeIn } from '../bench/report/units.js';
import { benchSchema, type BenchResult } from '../bench/result.js';
import { needPython } from '../bench/rivals.js';
import { requireRoom } from '../bench/room.js';
import type { BenchSettings } from '../bench/settings.js';
import { describeWorkload } from '../bench/workload.js';
import { invalid } from '../options/validate.js';
import { settingsOf, type BenchFlags } from './bench_options.js';
import { BenchProgress } from './bench_progress.js';
import { confirmed } from './confirm.js';
import { ExitCode } from './exit_code.js';
import type { Terminal } from './terminal.js';
import { sizeIn } from './text.js';

/**
 * `snapshard bench`
 * @param given names of the options that were given
 */
export async function bench(
  directory: string | undefined,
  flags: BenchFlags,
  given: readonly string[],
  terminal: Terminal,
): Promise<ExitCode> {
  if (flags.compare !== undefined) return compare(flags.compare, directory, given, terminal);
  if (directory === undefined) throw invalid('Expected a folder to measure, such as `snapshard bench /mnt/nvme`.');
  const settings = await settingsOf(directory, flags);
  const signal = terminal.interruptibleUntilCleanedUp();
  const check = needPython(settings.rivals) ? await checkPython(settings.python, signal) : undefined;
  const cost = costOf(makePlan(settings, check), settings);
  requireRoom(settings.directory, cost.room);
  announce(settings, cost, terminal);
  if (!flags.yes && !(await confirmed('Go on?', 'Nothing was written', signal))) {
    terminal.note('Nothing was written.');
    return ExitCode.Failure;
  }
  const result = await measure(settings, check, cost, signal, terminal);
  terminal.print(benchTable(result, terminal.width));
  await writeResults(result, flags, terminal);
  return ExitCode.Fine;
}

/** Whatever happens, the folder is gone in the end. */
async function measure(
  settings: BenchSettings,
  check: PythonCheck | undefined,
  cost: Cost,
  signal: AbortSignal,
  terminal: Terminal,
): Promise<BenchResult> {
  signal.throwIfAborted();
  const place = makePlace(settings.directory, cost.room, settings.restSeconds);
  const watcher = new BenchProgress(cost.movedBytes, cost.seconds, settings);
  try {
    return benchSchema.parse(await runBench(settings, check, { place, watcher, signal }));
  } finally {
    watcher.stop();
    const left = place.remove();
    if (left !== undefined) terminal.note(left);
  }
}

/** Says what runs that were killed have left in a folder; and where another one is under way. */
export function noteLeftovers(directory: string, terminal: Terminal): void {
  for (const { path, state, host } of findLeftovers(directory, placePrefix)) {
    if (state === 'killed') terminal.note(`left by a run that was killed, and not touched: rm -r ${shellWord(path)}`);
    else terminal.note(`another run of ${host} is under way in ${path}, or was killed: each would measure the other`);
  }
}

function announce({ directory, spec }: BenchSettings, cost: Cost, terminal: Terminal): void {
  noteLeftovers(directory, terminal);
  const { label, bytes } = describeWorkload(spec);
  terminal.note(`saves ${label}: ${sizeIn(bytes)}`);
  terminal.note(`writes ${sizeIn(cost.writtenBytes)} in all to ${directory}, at most ${sizeIn(cost.room.outputBytes)} at one time`);
  terminal.note(`takes about ${timeIn(Math.ceil(cost.seconds))} where 1 GB/s is written; all of it lies in a folder of its own, and is removed`);
}

function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

async function writeResults(result: BenchResult, { json, html, trace }: BenchFlags, terminal: Terminal): Promise<void> {
  const texts: [path: string | undefined, text: () => string][] = [
    [json, () => `${JSON.stringify(result)}\n`],
    [html, () => htmlPage({ bench: result })],
    [trace, () => chromeTrace(result)],
  ];
  for (const [path, text] of texts) {
    if (path === undefined) continue;
    await writeFile(path, text());
    terminal.note(`wrote ${path}`);
  }
}

async function compare(
  paths: readonly string[],
  directory: string | undefined,
  given: readonly string[],
  terminal: Terminal,
): Promise<ExitCode> {
  const others = given.filter((name) => name !== 'compare');
  if (directory !== undefined || others.length > 0) throw invalid('--compare measures nothing, and takes two files and nothing else.');
  const [before, after, ...more] = paths;
  if (before === undefined || after === undefined || more.length > 0) throw invalid('--compare takes two files that --json wrote.');
  const [left, right] = [await readBench(before), await readBench(after)];
  terminal.print(compareTable(left, right, terminal.width));
  return ExitCode.Fine;
}

async function readBench(path: string): Promise<BenchResult> {
  const result = await readResult(path);
  if (result.format === 'snapshard-bench-1') return result;
  throw invalid(`${path} is a result of snapshard tune: name two of snapshard bench.`);
}
