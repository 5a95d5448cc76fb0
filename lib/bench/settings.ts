import { availableParallelism } from 'node:os';
import { resolveWithFile, type ResolvedWriterOptions, type WriterOptions } from '../save/writer_options.js';
import type { JobSettings } from './job.js';
import type { RivalId } from './rivals.js';
import type { WorkloadSpec } from './workload.js';

/** Options of a writer that bear on the figures. */
export type WriterSettings = Pick<
  ResolvedWriterOptions,
  'stagingBytes' | 'blockBytes' | 'queueDepth' | 'threads' | 'engine' | 'direct'
> & { readonly shardBytes?: number };

export interface BenchSettings {
  /** Where to write: a folder of its own is made in it, and removed. */
  readonly directory: string;
  readonly spec: WorkloadSpec;
  readonly writer: WriterSettings;
  /** Rounds that count, and rounds before that do not. */
  readonly repeat: number;
  readonly warmup: number;
  /** How long the device rests before each trial. */
  readonly restSeconds: number;
  /** Also saves on a schedule, from the beginning of one save to that of the next. */
  readonly intervalSeconds?: number | undefined;
  /** Which phases are measured. */
  readonly part: 'all' | 'save' | 'restore';
  readonly limits: boolean;
  readonly rivals: readonly RivalId[];
  /** The Python of those rivals that need one. */
  readonly python: string;
  /** The training run that is told what the figures mean for it. */
  readonly job?: JobSettings | undefined;
  /** How it was called. */
  readonly command: readonly string[];
}

/** A checkpoint is read in blocks of at least this. */
export const readBlockBytesMin = 2 ** 21;

/** Threads that copying memory takes to show what memory can do. */
export const copyThreads = Math.min(16, availableParallelism());

/**
 * Defaults included, and whatever launcher the benchmark was started by left aside.
 * @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT`
 */
export async function writerSettings(writer: WriterOptions): Promise<WriterSettings> {
  const alone = { ...writer, rank: 0, worldSize: 1, runId: 'bench' };
  const resolved = await resolveWithFile(alone);
  const { stagingBytes, blockBytes, queueDepth, threads, engine, direct, shardBytes } = resolved;
  const files = shardBytes === Infinity ? {} : { shardBytes };
  return { stagingBytes, blockBytes, queueDepth, threads, engine, direct, ...files };
}
