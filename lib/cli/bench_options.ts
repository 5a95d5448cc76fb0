/** From the words of the command line to the settings of a run. */
import { accessSync, constants, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { EngineChoice } from '../binding.js';
import { specLike } from '../bench/like.js';
import { mlperfRanks, mlperfTensors, type MlperfModel } from '../bench/mlperf.js';
import { needPython, rivalIds, type RivalId } from '../bench/rivals.js';
import { writerSettings, type BenchSettings } from '../bench/settings.js';
import { describeWorkload, type WorkloadSpec } from '../bench/workload.js';
import { SnapshardError } from '../errors.js';
import { invalid } from '../options/validate.js';
import type { WriterOptions } from '../save/writer_options.js';

export interface BenchFlags {
  readonly model?: MlperfModel;
  readonly bytes?: number;
  readonly fraction?: number;
  readonly tensors?: number;
  readonly like?: string;
  readonly seed: number;
  readonly ranks: number;
  readonly repeat: number;
  readonly warmup: number;
  readonly rest: number;
  readonly interval?: number;
  readonly saveOnly?: true;
  readonly restoreOnly?: true;
  readonly limits: boolean;
  readonly rivals: string;
  readonly python?: string;
  readonly block?: number;
  readonly depth?: number;
  readonly threads?: number;
  readonly engine?: EngineChoice;
  readonly direct: boolean;
  readonly staging?: number;
  readonly options?: string;
  readonly mtbf?: number;
  readonly stepTime?: number;
  readonly stateBytes?: number;
  readonly jobRanks?: number;
  readonly yes?: true;
  readonly json?: string;
  readonly html?: string;
  readonly trace?: string;
  readonly compare?: readonly string[];
}

const defaultModel = '8B';
const defaultBytes = 4 * 2 ** 30;

/** @throws {SnapshardError} `INVALID_ARGUMENT`; what is wrong with the folder; as `openCheckpoint` for `--like` */
export async function settingsOf(directory: string, flags: BenchFlags): Promise<BenchSettings> {
  requireDirectory(directory);
  requireOutputs([flags.json, flags.html, flags.trace]);
  const rivals = flags.restoreOnly ? [] : rivalsOf(flags.rivals);
  if (flags.python !== undefined && !needPython(rivals)) throw invalid('--python is for rivals that are Python programs, and there is none.');
  const spec = await specOf(flags, defaultBytes);
  return {
    directory: resolve(directory),
    spec,
    writer: await writerSettings(writerOptionsOf(flags)),
    repeat: flags.repeat,
    warmup: flags.warmup,
    restSeconds: flags.rest,
    intervalSeconds: flags.interval,
    part: flags.saveOnly ? 'save' : flags.restoreOnly ? 'restore' : 'all',
    limits: flags.limits,
    rivals,
    python: flags.python ?? process.env.SNAPSHARD_PYTHON ?? 'python3',
    job: jobOf(flags, spec),
    command: ['snapshard', ...process.argv.slice(2)],
  };
}

/** Only what was given. */
function writerOptionsOf({ block, depth, threads, engine, direct, staging, options }: BenchFlags): WriterOptions {
  return {
    blockBytes: block,
    queueDepth: depth,
    threads,
    engine,
    direct: direct ? undefined : false,
    stagingBytes: staging,
    optionsFile: options,
  };
}

export type WorkloadFlags = Pick<BenchFlags, 'model' | 'bytes' | 'fraction' | 'tensors' | 'like' | 'seed' | 'ranks'>;

/** @param defaultBytes of each rank, where neither bytes nor a fraction are given */
export async function specOf(flags: WorkloadFlags, defaultBytes: number): Promise<WorkloadSpec> {
  const spec = await specFrom(flags, defaultBytes);
  // It tells at once what is wrong with it.
  describeWorkload(spec);
  return spec;
}

function specFrom(flags: WorkloadFlags, defaultBytes: number): Promise<WorkloadSpec> {
  const { model, bytes, fraction, tensors, like, seed, ranks } = flags;
  const cut = { ...(bytes !== undefined && { bytes }), ...(fraction !== undefined && { fraction }) };
  if (like !== undefined) return specLike(like, { ...cut, seed, ranks });
  const common = { seed, ranks };
  if (tensors !== undefined) return Promise.resolve({ kind: 'tensors', count: tensors, bytes: bytes ?? defaultBytes, ...common });
  const part = fraction === undefined ? { bytes: bytes ?? defaultBytes } : { fraction };
  return Promise.resolve({ kind: 'mlperf', model: model ?? defaultModel, ...part, ...common });
}

function rivalsOf(text: string): readonly RivalId[] {
  if (text === 'all') return rivalIds;
  if (text === 'none') return [];
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !rivalIds.some((id) => id === name));
  if (unknown !== undefined) throw invalid(`Expected all, none, or some of ${rivalIds.join(',')} for --rivals but received '${unknown}'.`);
  return rivalIds.filter((id) => names.includes(id));
}

function jobOf({ mtbf, stepTime, stateBytes, jobRanks, ranks }: BenchFlags, spec: WorkloadSpec): BenchSettings['job'] {
  if (mtbf === undefined) {
    if (stepTime === undefined && stateBytes === undefined && jobRanks === undefined) return undefined;
    throw invalid('--step-time, --state-bytes and --job-ranks tell what it means for a job: give its --mtbf, too.');
  }
  const whole = spec.kind === 'mlperf' ? mlperfRanks(spec.model) : ranks;
  return {
    meanTimeBetweenFailuresSeconds: mtbf,
    stepSeconds: stepTime,
    stateBytes: stateBytes ?? wholeBytes(spec),
    ranks: jobRanks ?? whole,
  };
}

function wholeBytes(spec: WorkloadSpec): number {
  if (spec.kind !== 'mlperf') return describeWorkload(spec).bytes;
  const { model } = spec;
  let sum = 0;
  for (let rank = 0; rank < mlperfRanks(model); rank++) for (const { bytes } of mlperfTensors(model, rank)) sum += bytes;
  return sum;
}

/** @throws {SnapshardError} `NOT_FOUND`, `NOT_A_DIRECTORY`, `READ_ONLY`, `PERMISSION` */
export function requireDirectory(path: string): void {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) {
    throw new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', `${path} is not there: name a folder that is, or make it.`, { path });
  }
  if (!stat.isDirectory()) {
    throw new SnapshardError('ERR_SNAPSHARD_NOT_A_DIRECTORY', `${path} is no folder: name one that checkpoints are to go to.`, { path });
  }
  requireAccess(path, `${path} cannot be written to: name a folder that can.`);
}

/** @throws {SnapshardError} at once, what would be said after all has been measured */
export function requireOutputs(paths: readonly (string | undefined)[]): void {
  const given = paths.filter((path) => path !== undefined);
  const twice = given.find((path, index) => given.slice(0, index).some((other) => resolve(other) === resolve(path)));
  if (twice !== undefined) throw invalid(`${twice} is to hold two different results: name a file for each.`);
  given.forEach(requireWritable);
}

function requireWritable(path: string): void {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory()) throw invalid(`${path} is a folder: name a file for the result.`);
  const folder = dirname(resolve(path));
  if (stat === undefined && statSync(folder, { throwIfNoEntry: false }) === undefined) {
    throw new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', `${folder} is not there: the result ${path} cannot be written.`, { path });
  }
  requireAccess(stat === undefined ? folder : path, `${path} cannot be written: name another file for the result.`);
}

function requireAccess(path: string, message: string): void {
  try {
    accessSync(path, constants.W_OK);
  } catch (cause) {
    const errno = (cause as NodeJS.ErrnoException).code ?? '';
    const code = errno === 'EROFS' ? 'ERR_SNAPSHARD_READ_ONLY' : 'ERR_SNAPSHARD_PERMISSION';
    throw new SnapshardError(code, message, { cause, errno, syscall: 'access', path });
  }
}
