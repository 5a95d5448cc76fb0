import { z } from 'zod';
import type { EngineChoice } from '../binding.js';
import { SnapshardError } from '../errors.js';
import { optionsFilePath, readOptionsFile } from '../options/options_file.js';
import { performanceDefaults, performanceFields, performanceOf, type PerformanceOptions } from '../options/performance.js';
import { cudaDeviceExpected, cudaDeviceMax, wholeBlocks } from '../options/staging_options.js';
import { integer, invalid, matching, validate } from '../options/validate.js';
import { resolveRank, type ResolvedRank } from '../ranks/environment.js';

/** The longest that a timer of Node.js waits: 24.8 days. */
const timerMax_ms = 2 ** 31 - 1;
/** As long as collectives wait for a rank that is late. */
const ranksDeadline_ms = 30 * 60 * 1000;

/** How a writer works; every option has a default. */
export interface WriterOptions {
  /** Memory that the writer stages in, whatever the checkpoint's size: at least two blocks. Default 1 GiB. */
  stagingBytes?: number | undefined;
  /** Bytes of one write: a power of two from 1 to 64 MiB. Network mounts want large ones. Default 4 MiB. */
  blockBytes?: number | undefined;
  /** Writes in flight at most. Default 16. */
  queueDepth?: number | undefined;
  /** Threads that copy and hash. Default 2. */
  threads?: number | undefined;
  /** `io_uring` is an error where the kernel denies it; `auto`, the default, falls back to `pwrite` and says why. */
  engine?: EngineChoice | undefined;
  /** `false` writes through the page cache, a bounded part of it. Default `true`: direct where the file system can. */
  direct?: boolean | undefined;
  /**
   * The GPU, by its number, that tensors are mostly on: the memory is taken near it and made known to it at once. Else
   * that is done when device memory is first used, on whatever node. Default: none.
   */
  cudaDevice?: number | undefined;
  /** Tensor bytes of one shard file at most; a larger tensor has a file of its own. Default: one file a group. */
  shardBytes?: number | undefined;
  /**
   * Milliseconds from the call of `save` after which it fails; with several ranks also those in which they must meet.
   * Default: none; with several ranks 30 minutes.
   */
  deadlineMs?: number | undefined;
  /**
   * What `snapshard tune --out` wrote: the options above that suit the target, but for `cudaDevice` and `deadlineMs`.
   * What is given here as well wins over the file. A relative path begins at the working directory. Default: none.
   */
  optionsFile?: string | URL | undefined;
  /** Which rank this process is, from 0. Default: what the launcher's environment says, else 0. See docs/ranks.md. */
  rank?: number | undefined;
  /** How many ranks save together. Default: what the launcher's environment says, else 1. */
  worldSize?: number | undefined;
  /** Equal on all ranks of a run, and on no other run that saves below this root. Default: the launcher's. */
  runId?: string | undefined;
}

/** `stagingBytes` is a multiple of `blockBytes`. */
export interface ResolvedWriterOptions extends PerformanceOptions {
  readonly cudaDevice?: number | undefined;
  readonly deadlineMs: number;
  readonly place: ResolvedRank;
}

const schema = z.strictObject({
  ...performanceFields,
  cudaDevice: integer(0, cudaDeviceMax, cudaDeviceExpected).optional(),
  deadlineMs: matching<number>(isDeadline, `milliseconds from 1 to ${timerMax_ms}, or Infinity`).optional(),
  optionsFile: z.unknown().optional(),
  rank: z.unknown().optional(),
  worldSize: z.unknown().optional(),
  runId: z.unknown().optional(),
});

type Given = z.infer<typeof schema> & Pick<ResolvedWriterOptions, 'place'>;

/**
 * What a writer does with these options, but for what lies in their `optionsFile`.
 * @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT`, `ERR_SNAPSHARD_RANKS_DISAGREE`
 */
export function resolveWriterOptions(options: WriterOptions | null): ResolvedWriterOptions {
  const given = checkGiven(options);
  return complete(given, performanceOf(given));
}

/**
 * As {@link resolveWriterOptions}, with what lies in `optionsFile`. All else is checked, and taken over, at the call.
 * @throws {SnapshardError} also what `readOptionsFile` throws
 */
export async function resolveWithFile(options: WriterOptions | null): Promise<ResolvedWriterOptions> {
  const given = checkGiven(options);
  if (given.optionsFile === undefined) return complete(given, performanceOf(given));
  const path = optionsFilePath(given.optionsFile);
  const { writer } = await readOptionsFile(path);
  try {
    return complete(given, { ...writer, ...performanceOf(given) });
  } catch (error) {
    throw error instanceof SnapshardError ? invalid(`${error.message} Some of it comes from ${path}.`) : error;
  }
}

function checkGiven(options: WriterOptions | null): Given {
  const given = validate(schema, options ?? {}, 'the options of CheckpointWriter.open');
  const { rank, worldSize, runId } = options ?? {};
  return { ...given, place: resolveRank({ rank, worldSize, runId }) };
}

function complete(given: Given, chosen: Partial<PerformanceOptions>): ResolvedWriterOptions {
  const { cudaDevice, place } = given;
  const performance = { ...performanceDefaults, ...chosen };
  const deadlineMs = given.deadlineMs ?? (place.worldSize > 1 ? ranksDeadline_ms : Infinity);
  return { ...performance, stagingBytes: wholeBlocks(performance), cudaDevice, deadlineMs, place };
}

function isDeadline(value: unknown): boolean {
  return value === Infinity || (typeof value === 'number' && value >= 1 && value <= timerMax_ms);
}

export interface CloseOptions {
  /** Aborts the saves under way instead of waiting for them. Default `false`. */
  abort?: boolean | undefined;
}

const closeSchema = z.strictObject({ abort: z.boolean('a boolean').default(false) });

/** @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` */
export function checkCloseOptions(options: unknown): { readonly abort: boolean } {
  return validate(closeSchema, options ?? {}, 'the options of close');
}
