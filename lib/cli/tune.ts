import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { makePlace } from '../bench/place.js';
import { tuneTable } from '../bench/report/index.js';
import { tuneSchema, type TuneResult } from '../bench/result.js';
import { requireRoom } from '../bench/room.js';
import { describeTarget } from '../bench/target.js';
import { planText, planTune, tune, type TuneSettings } from '../bench/tune.js';
import type { AxisName } from '../bench/tune_space.js';
import { writerCode } from '../bench/tune_space.js';
import { specLike } from '../bench/like.js';
import type { WorkloadSpec } from '../bench/workload.js';
import { SnapshardError } from '../errors.js';
import { ExitCode, Interrupted } from './exit_code.js';
import type { Terminal } from './terminal.js';
import { checkFiles, writeFiles, type TuneFiles } from './tune_files.js';
import { tuneProgress } from './tune_progress.js';

/** What the command line gives. */
export interface TuneCall extends TuneFiles {
  readonly model: '8B' | '70B' | '405B' | '1T';
  readonly bytes: number;
  readonly tensors?: number;
  readonly like?: string;
  readonly ranks: number;
  readonly stagingBytes?: number;
  readonly seed: number;
  readonly axes: readonly AxisName[];
  readonly repeat: number;
  readonly rest: number;
  readonly minutes: number;
  readonly yes?: true;
}

/** `snapshard tune` */
export async function tuneCommand(directory: string, call: TuneCall, terminal: Terminal): Promise<ExitCode> {
  checkFiles(call);
  const { path, remarks } = await describeTarget(directory);
  const settings = await settingsOf(path, call);
  const plan = planTune(settings);
  requireRoom(path, plan.room);
  for (const remark of remarks) terminal.note(remark);
  terminal.note(planText(plan, settings));
  if (!call.yes && !(await confirmed())) {
    terminal.note('Nothing was written.');
    return ExitCode.Failure;
  }
  const result = tuneSchema.parse(await measure(settings, plan.room, terminal));
  report(result, call, terminal);
  return ExitCode.Fine;
}

async function settingsOf(directory: string, call: TuneCall): Promise<TuneSettings> {
  const { axes, stagingBytes, repeat, rest, minutes } = call;
  const spec = await specOf(call);
  const command = ['snapshard', ...process.argv.slice(2)];
  return { directory, spec, axes, stagingBytes, repeat, restSeconds: rest, limitSeconds: minutes * 60, command };
}

async function specOf({ model, bytes, tensors, like, ranks, seed }: TuneCall): Promise<WorkloadSpec> {
  if (tensors !== undefined) return { kind: 'tensors', count: tensors, bytes, ranks, seed };
  if (like !== undefined) return specLike(like, { bytes, ranks, seed });
  return { kind: 'mlperf', model, bytes, ranks, seed };
}

/** All that it writes goes, also when it fails or is interrupted. */
async function measure(settings: TuneSettings, room: { outputBytes: number; memoryBytes: number }, terminal: Terminal): Promise<TuneResult> {
  const { signal, release } = interruptible(terminal);
  const place = makePlace(settings.directory, room, settings.restSeconds);
  const progress = tuneProgress(settings.limitSeconds);
  try {
    return await tune(settings, place, progress, signal);
  } finally {
    progress.stop();
    place.remove();
    release();
  }
}

function interruptible(terminal: Terminal): { signal: AbortSignal; release: () => void } {
  const ended = new AbortController();
  const end = (): void => {
    ended.abort(new Interrupted());
  };
  const names = ['SIGTERM', 'SIGHUP'] as const;
  for (const name of names) process.once(name, end);
  const release = (): void => {
    for (const name of names) process.off(name, end);
  };
  return { signal: AbortSignal.any([terminal.interruptible(), ended.signal]), release };
}

function report(result: TuneResult, call: TuneCall, terminal: Terminal): void {
  if (call.json === '-') terminal.printJson(result);
  else terminal.print([...tuneTable(result, terminal.width), ...usage(result, call)]);
  for (const path of writeFiles(result, call)) terminal.note(`wrote ${path}`);
}

function usage({ chosen }: TuneResult, { out }: TuneCall): string[] {
  if (Object.keys(chosen).length === 0) return [];
  const options = out === undefined ? writerCode(chosen) : `{ optionsFile: '${out}' }`;
  return ['', `  await CheckpointWriter.open(root, ${options})`];
}

/** @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` where there is nobody to ask */
async function confirmed(): Promise<boolean> {
  if (!process.stdin.isTTY) {
    const message = 'Nothing was written: there is no terminal to ask on. Pass --yes.';
    throw new SnapshardError('ERR_SNAPSHARD_INVALID_ARGUMENT', message);
  }
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const closed = once(reader, 'close').then(() => '');
    const asked = reader.question('Go on? [y/N] ').catch(() => '\n');
    return /^y(es)?$/i.test((await Promise.race([asked, closed])).trim());
  } finally {
    reader.close();
  }
}
