import { z } from 'zod';
import type { EngineChoice, StagingOptions } from '../binding.js';
import { stagingFields, wholeBlocks } from '../options/staging_options.js';
import { integer, matching, validate } from '../options/validate.js';

const MiB = 1024 * 1024;

/** How a checkpoint is read; every option has a default. The memory is taken when data is first read. */
export interface CheckpointOptions {
  /** Memory that reads go through, whatever their size: at least two blocks. Default 256 MiB. */
  stagingBytes?: number | undefined;
  /** Bytes of one read: a power of two from 2 to 64 MiB. Network mounts want large ones. Default 4 MiB. */
  blockBytes?: number | undefined;
  /** Reads in flight at most. Default 16. */
  queueDepth?: number | undefined;
  /** Threads that hash and copy. Default 2. */
  threads?: number | undefined;
  /** `io_uring` is an error where the kernel denies it; `auto`, the default, falls back to `pread` and says why. */
  engine?: EngineChoice | undefined;
  /** `false` reads through the page cache. Default `true`: past it where the file system can. */
  direct?: boolean | undefined;
  /**
   * The GPU, by its number, that tensors are mostly on: the memory is taken near it and made known to it at once. Else
   * that is done when device memory is first used, on whatever node. Default: none.
   */
  cudaDevice?: number | undefined;
  /** `false` hands out bytes that were compared with no digest, and says so (`verified`). Default `true`. */
  verify?: boolean | undefined;
}

export interface LatestOptions extends CheckpointOptions {
  /** Reads and compares all data of a checkpoint before it counts as whole. Default `false`. */
  verifyFirst?: boolean | undefined;
}

export interface ReadOptions {
  /** Ends the read, which then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** As in {@link CheckpointOptions}, for this read. */
  verify?: boolean | undefined;
}

export interface ReadAllOptions extends ReadOptions {
  /** Only tensors of these groups; of other groups no file is read. Default: all groups. */
  groups?: Iterable<string> | undefined;
  /** Only these tensors. Default: all. */
  names?: Iterable<string> | undefined;
}

export interface StreamOptions extends ReadOptions {
  /** Most bytes of one piece, 1 MiB to 1 GiB; up to three are in memory at any time. Default 16 MiB. */
  chunkBytes?: number | undefined;
}

export interface VerifyOptions {
  /** Ends the check, which then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

export interface ResolvedCheckpointOptions extends StagingOptions {
  readonly verify: boolean;
}

const openFields = {
  ...stagingFields({ stagingBytes: 256 * MiB, blockBytesMin: 2 * MiB }),
  verify: z.boolean('a boolean').default(true),
};
const openSchema = z.strictObject(openFields);
const latestSchema = z.strictObject({ ...openFields, verifyFirst: z.boolean('a boolean').default(false) });

const signal = matching<AbortSignal>((value) => value instanceof AbortSignal, 'an AbortSignal').optional();
const verify = z.boolean('a boolean').optional();
const names = matching<Iterable<string>>(isIterable, 'a list of names').optional();
const chunkExpected = 'an integer from 1 MiB to 1 GiB';

const readSchema = z.strictObject({ signal, verify });
export const readOptionNames: readonly string[] = Object.keys(readSchema.shape);

const readAllSchema = z.strictObject({ signal, verify, groups: names, names });
const streamSchema = z.strictObject({
  signal,
  verify,
  chunkBytes: integer(MiB, 1024 * MiB, chunkExpected).default(16 * MiB),
});
const verifySchema = z.strictObject({ signal });

function isIterable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, Symbol.iterator) === 'function';
}

/** @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` */
export function resolveCheckpointOptions(options: CheckpointOptions | undefined): ResolvedCheckpointOptions {
  const resolved = validate(openSchema, options ?? {}, 'the options of openCheckpoint');
  return { ...resolved, stagingBytes: wholeBlocks(resolved) };
}

/** @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` */
export function resolveLatestOptions(
  options: LatestOptions | undefined,
): ResolvedCheckpointOptions & { readonly verifyFirst: boolean } {
  const resolved = validate(latestSchema, options ?? {}, 'the options of latestCheckpoint');
  return { ...resolved, stagingBytes: wholeBlocks(resolved) };
}

/** @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` */
export function checkReadOptions(options: ReadOptions | undefined, call: string): ReadOptions {
  return validate(readSchema, options ?? {}, `the options of ${call}`);
}

/** @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` */
export function checkReadAllOptions(options: ReadAllOptions | undefined): ReadAllOptions {
  return validate(readAllSchema, options ?? {}, 'the options of readAll');
}

/** @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` */
export function checkStreamOptions(options: StreamOptions | undefined): StreamOptions & { readonly chunkBytes: number } {
  return validate(streamSchema, options ?? {}, 'the options of stream');
}

/** @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` */
export function checkVerifyOptions(options: VerifyOptions | undefined): VerifyOptions {
  return validate(verifySchema, options ?? {}, 'the options of verify');
}
