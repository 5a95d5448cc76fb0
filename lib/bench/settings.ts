import { availableParallelism } from 'node:os';
import type { WriterOptions } from '../save/writer_options.js';
import { resolveWriterOptions, type ResolvedWriterOptions } from '../save/writer_options.js';
import type { JobSettings } from './job.js';
import type { RivalId } from './rivals.js';
import type { WorkloadSpec } from './workload.js';

export interface BenchSettings {
  /** Where to write: a folder of its own is made in it, and removed. */
  readonly directory: string;
  readonly spec: WorkloadSpec;
  readonly writer: WriterOptions;
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

/** Threads that copying memory takes to show what memory can do. */
export const copyThreads = Math.min(16, availableParallelism());

/** @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` */
export function resolvedWriter({ writer }: BenchSettings): ResolvedWriterOptions {
  return resolveWriterOptions({ ...writer, rank: 0, worldSize: 1, runId: 'bench' });
}

/** The options that the result tells: all that bear on the figures, defaults included. */
export function toldOptions(settings: BenchSettings): Record<string, unknown> {
  const { stagingBytes, blockBytes, queueDepth, threads, engine, direct, shardBytes } = resolvedWriter(settings);
  const shards = shardBytes === Infinity ? {} : { shardBytes };
  return { stagingBytes, blockBytes, queueDepth, threads, engine, direct, ...shards };
}
