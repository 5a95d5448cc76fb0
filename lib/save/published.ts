import type { TransferResult } from '../binding.js';
import type { Plan } from '../layout/plan.js';
import { describeTrace, type SaveTrace } from './trace.js';

/** Seconds from the call of `save`, but for the last. */
export interface SaveTimings {
  /** Until every source byte had been read: how long the sources had to stay as they were. */
  readonly stagedSeconds: number;
  /** Until the last byte was handed to the device and accepted. */
  readonly writtenSeconds: number;
  /** Until every shard file was synced. */
  readonly durableSeconds: number;
  /** Until the checkpoint had its final name, durably. */
  readonly publishedSeconds: number;
  /** Processor seconds of the native threads meanwhile. */
  readonly cpuSeconds: number;
}

/** A checkpoint that is there whole, and survives a power loss. */
export interface Published {
  /** Absolute path of its directory. */
  readonly path: string;
  readonly step: number;
  /** Bytes of the shard files that this process wrote. */
  readonly bytes: number;
  /** Names of these files. */
  readonly files: readonly string[];
  /** Digest of the manifest, which covers everything else: 32 hexadecimal digits, the same on every rank. */
  readonly digest: string;
  readonly engine: 'io_uring' | 'pwrite';
  /** Why the engine is not io_uring as it could be; empty when it is. */
  readonly engineReason: string;
  /** Whether the shards were written past the page cache; `unknown` where the file system does not tell. */
  readonly direct: 'yes' | 'no' | 'unknown';
  /** Why not; empty when they were. */
  readonly directReason: string;
  /** Whether device memory was copied within the device first, as `deviceSnapshot` asks. */
  readonly deviceSnapshot: boolean;
  /** Why it was not though asked for, or why copies from the device were not at the full rate; empty when all is well. */
  readonly deviceReason: string;
  readonly timings: SaveTimings;
  /** What became of each block, and when; only of a save with the option `trace`. */
  readonly trace?: SaveTrace;
}

export interface PublishedParts {
  /** Absolute path of the published directory. */
  readonly path: string;
  readonly digest: string;
  readonly engineReason: string;
  readonly step: number;
  readonly plan: Plan;
  readonly result: TransferResult;
  /** `performance.now()` when `save` was called, and when the transfer was started. */
  readonly called_ms: number;
  readonly started_ms: number;
}

/** What the caller is told, now that it is published. */
export function describePublished(parts: PublishedParts): Published {
  const { path, digest, engineReason, step, plan, result, called_ms } = parts;
  const beforeSeconds = (parts.started_ms - called_ms) / 1000;
  const timings = {
    stagedSeconds: beforeSeconds + result.stagedSeconds,
    writtenSeconds: beforeSeconds + result.writtenSeconds,
    durableSeconds: beforeSeconds + result.durableSeconds,
    publishedSeconds: (performance.now() - called_ms) / 1000,
    cpuSeconds: result.cpuSeconds,
  };
  const files = plan.files.map((file) => file.path);
  const { trace } = result;
  return {
    path,
    step,
    bytes: plan.bytes,
    files,
    digest,
    engine: result.engine,
    engineReason: engineReason || result.threadsReason,
    direct: result.direct,
    directReason: result.directReason,
    deviceSnapshot: result.deviceSnapshot,
    deviceReason: result.deviceReason,
    timings,
    ...(trace && { trace: describeTrace({ trace, files, moments: timings, called_ms, beforeSeconds }) }),
  };
}
