import { resolve } from 'node:path';
import { makePlace } from '../bench/place.js';
import { tuneTable } from '../bench/report/index.js';
import { tuneSchema, type TuneResult } from '../bench/result.js';
import { requireRoom } from '../bench/room.js';
import { writerSettings } from '../bench/settings.js';
import { planText, planTune, tune, type TunePlan, type TuneSettings } from '../bench/tune.js';
import { writerCode, type AxisName } from '../bench/tune_space.js';
import { describeWorkload } from '../bench/workload.js';
import { noteLeftovers } from './bench.js';
import { requireDirectory, specOf, type WorkloadFlags } from './bench_options.js';
import { confirmed } from './confirm.js';
import { ExitCode } from './exit_code.js';
import type { Terminal } from './terminal.js';
import { checkFiles, writeFiles, type TuneFiles } from './tune_files.js';
import { tuneProgress } from './tune_progress.js';

export interface TuneFlags extends WorkloadFlags, TuneFiles {
  readonly axes: readonly AxisName[];
  readonly repeat: number;
  readonly rest: number;
  readonly within: number;
  readonly staging: number;
  readonly yes?: true;
}

const defaultBytes = 2 ** 30;

/** `snapshard tune` */
export async function tuneCommand(directory: string, flags: TuneFlags, terminal: Terminal): Promise<ExitCode> {
  requireDirectory(directory);
  checkFiles(flags);
  const settings = await settingsOf(directory, flags);
  const signal = terminal.interruptibleUntilCleanedUp();
  const plan = planTune(settings);
  requireRoom(settings.directory, plan.room);
  noteLeftovers(settings.directory, terminal);
  terminal.note(`saves ${describeWorkload(settings.spec).label}`);
  terminal.note(planText(plan, settings));
  if (!flags.yes && !(await confirmed('Go on?', 'Nothing was written', signal))) {
    terminal.note('Nothing was written.');
    return ExitCode.Failure;
  }
  const result = await measure(settings, plan, signal, terminal);
  terminal.print([...tuneTable(result, terminal.width), ...usage(result, flags)]);
  await writeFiles(result, flags, terminal);
  return ExitCode.Fine;
}

async function settingsOf(directory: string, flags: TuneFlags): Promise<TuneSettings> {
  const { axes, staging, repeat, rest, within } = flags;
  // It tells at once what is wrong with it.
  await writerSettings({ stagingBytes: staging });
  return {
    directory: resolve(directory),
    spec: await specOf(flags, defaultBytes),
    axes,
    stagingBytes: staging,
    repeat,
    restSeconds: rest,
    limitSeconds: within,
    command: ['snapshard', ...process.argv.slice(2)],
  };
}

/** Whatever happens, the folder is gone in the end. */
async function measure(
  settings: TuneSettings,
  { room, trials }: TunePlan,
  signal: AbortSignal,
  terminal: Terminal,
): Promise<TuneResult> {
  signal.throwIfAborted();
  const place = makePlace(settings.directory, room, settings.restSeconds);
  const progress = tuneProgress(trials, settings.limitSeconds);
  try {
    return tuneSchema.parse(await tune(settings, { place, watch: progress.watch, signal }));
  } finally {
    progress.stop();
    const left = place.remove();
    if (left !== undefined) terminal.note(left);
  }
}

/** How to use what was found; nothing where the defaults are right. */
function usage({ chosen }: TuneResult, { out }: TuneFlags): string[] {
  if (Object.keys(chosen).length === 0) return [];
  const options = out === undefined ? writerCode(chosen) : `{ optionsFile: '${out}' }`;
  return ['', `  await CheckpointWriter.open(root, ${options})`];
}
