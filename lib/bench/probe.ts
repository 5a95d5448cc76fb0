/** What the machine does by itself: the limits that a save or a restore is set against. */
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { binding, type ProbeResult, type ProbeStart, type StagingInfo, type StagingOptions } from '../binding.js';
import { closeStaging, createStaging } from '../memory/staging.js';
import { stagingFields } from '../options/staging_options.js';
import { integer, invalid, matching, validate } from '../options/validate.js';
import { toSnapshardError, type ErrorContext } from '../store/native_error.js';
import { NativeStore } from '../store/native_store.js';
import { newNonce } from '../store/nonce.js';
import { invalidArgument } from '../tensor/describe.js';

const MiB = 1024 * 1024;
const copyBlockBytes = 4 * MiB;
const threadsMax = 64;

/** How the device is driven: the options of `CheckpointWriter.open` of the same names, with the same defaults. */
export type ProbeDrive = Partial<Pick<StagingOptions, 'blockBytes' | 'queueDepth' | 'engine' | 'direct'>> & {
  /** Aborts it: what is in flight lands first, then it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
};

export interface ProbeFigures {
  readonly bytes: number;
  /** Of a write: from before the file was made until it and its folder were durable. */
  readonly seconds: number;
  /** Processor seconds of the native threads meanwhile, other work of this process included. */
  readonly cpuSeconds: number;
}

export interface ReadFigures extends ProbeFigures {
  /** The engine, and whether it went past the page cache; with the reason where not all is as it could be. */
  readonly how: string;
}

export interface WriteFigures extends ReadFigures {
  /** Until the device had accepted the last byte. */
  readonly writtenSeconds: number;
  /** Absolute path of the file, which stays there. */
  readonly path: string;
}

const { blockBytes, queueDepth, engine, direct } = stagingFields({ stagingBytes: MiB, blockBytesMin: MiB });
const signal = matching<AbortSignal>((value) => value instanceof AbortSignal, 'an AbortSignal').optional();
const count = integer(1, Number.MAX_SAFE_INTEGER, 'a positive integer');
const drive = { blockBytes, queueDepth, engine, direct, signal };
const writeSchema = z.strictObject({ bytes: count, ...drive });
const readSchema = z.strictObject(drive);
const copySchema = z.strictObject({
  bytes: count,
  threads: integer(1, threadsMax, `an integer from 1 to ${threadsMax}`),
  signal,
});

type Drive = z.output<typeof readSchema>;

/**
 * The limit of writing: a new file in `folder`, preallocated, written once, block by block, with the engines, rules of
 * alignment and queue of a save; then `fdatasync`, and `fsync` of the folder. Nothing is copied or hashed. What is
 * written is random and no two pages of it are alike, so that no file system can make less of it. The memory, up to
 * `queueDepth` blocks, is filled before the clock starts. The file stays, for the caller to remove; unless it fails.
 * @throws {SnapshardError} `INVALID_ARGUMENT`; `NOT_FOUND`, `NOT_A_DIRECTORY` (the folder); `NO_SPACE`; `NO_MEMORY`;
 *   `IO_URING_UNAVAILABLE`; what the system said; or the signal's reason
 */
export async function probeWrite(folder: string, options: ProbeDrive & { bytes: number }): Promise<WriteFigures> {
  requirePath(folder, '`folder`', 'the path of a directory');
  const { bytes, ...resolved } = validate(writeSchema, options, 'the options of probeWrite');
  const name = `snapshard-probe-${newNonce()}.bin`;
  return inFolder(folder, async (store) => {
    const slots = Math.min(resolved.queueDepth, Math.ceil(bytes / resolved.blockBytes));
    try {
      const [result, how] = await runFileProbe(store, { operation: 'write', name, bytes, slots }, resolved);
      return { ...figuresOf(result), writtenSeconds: result.movedSeconds, how, path: join(store.root, name) };
    } catch (error) {
      await store.removeTree(name).catch(() => undefined);
      throw error;
    }
  });
}

/**
 * The limit of reading: a whole file, block by block, into a few blocks of memory, as a restore reads it; nothing is
 * copied or hashed. Direct where the file system can, but what lies in the page cache may come from there on some: drop
 * it before. Symbolic links are followed.
 * @throws {SnapshardError} `INVALID_ARGUMENT`; `NOT_FOUND`; `NO_MEMORY`; `IO_URING_UNAVAILABLE`; what the system said;
 *   or the signal's reason
 */
export async function probeRead(path: string, options: ProbeDrive = {}): Promise<ReadFigures> {
  requirePath(path, '`path`', 'the path of a file');
  const resolved = validate(readSchema, options, 'the options of probeRead');
  return inFolder(dirname(path), async (store) => {
    const probe = { operation: 'read', name: basename(path), bytes: 0, slots: resolved.queueDepth } as const;
    const [result, how] = await runFileProbe(store, probe, resolved);
    return { ...figuresOf(result), how };
  });
}

/**
 * The limit of staging: `memcpy`, by several threads, of `bytes` from faulted-in memory to other such memory, 4 MiB at a
 * time. Takes twice that much memory.
 * @param options.threads default: as many as there are processors
 * @throws {SnapshardError} `INVALID_ARGUMENT`, `NO_MEMORY`; or the signal's reason
 */
export async function probeCopy(options: {
  bytes: number;
  threads?: number | undefined;
  signal?: AbortSignal | undefined;
}): Promise<ProbeFigures> {
  const defaults = { threads: Math.min(availableParallelism(), threadsMax) };
  const { bytes, threads, signal } = validate(copySchema, withDefaults(options, defaults), 'the options of probeCopy');
  const half = Math.ceil(bytes / copyBlockBytes) * copyBlockBytes;
  if (!Number.isSafeInteger(2 * half)) throw invalid(`Expected fewer \`bytes\` than ${bytes}: memory holds them twice.`);
  const memory = { stagingBytes: 2 * half, blockBytes: copyBlockBytes, queueDepth: 1, direct: false };
  const staging = { ...memory, threads, engine: 'pwrite' } as const;
  return inStaging(staging, signal, async ({ handle }) =>
    figuresOf(await finish(() => binding.startCopyProbe(handle, bytes), signal, { action: 'copy memory' })),
  );
}

function requirePath(path: unknown, name: string, expected: string): asserts path is string {
  if (typeof path === 'string' && path !== '' && !path.includes('\0')) return;
  throw invalidArgument(name, expected, path);
}

function withDefaults(options: unknown, defaults: object): unknown {
  if (typeof options !== 'object' || options === null) return options;
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) };
}

const figuresOf = ({ bytes, seconds, cpuSeconds }: ProbeResult): ProbeFigures => ({ bytes, seconds, cpuSeconds });

interface FileProbe {
  readonly operation: 'write' | 'read';
  readonly name: string;
  readonly bytes: number;
  /** Blocks of memory. */
  readonly slots: number;
}

async function runFileProbe(
  store: NativeStore,
  { operation, name, bytes, slots }: FileProbe,
  { signal, ...drive }: Drive,
): Promise<[result: ProbeResult, how: string]> {
  const stagingBytes = Math.max(2, slots) * drive.blockBytes;
  return inStaging({ ...drive, stagingBytes, threads: 2 }, signal, async ({ handle, engineReason }) => {
    const remedy = 'Nothing was measured.';
    const context = { action: `${operation} a probe`, root: store.root, remedy };
    const start = (): ProbeStart => binding.startFileProbe(handle, store.handle, operation, name, bytes);
    const result = await finish(start, signal, context);
    const reasons = [engineReason || result.threadsReason, result.directReason].filter((reason) => reason !== '');
    const reason = reasons.length === 0 ? '' : ` (${reasons.join('; ')})`;
    return [result, `${result.engine}, direct ${result.direct}${reason}`];
  });
}

async function finish(
  start: () => ProbeStart,
  signal: AbortSignal | undefined,
  context: ErrorContext,
): Promise<ProbeResult> {
  let abort: (() => void) | undefined;
  try {
    const { handle, done } = start();
    abort = () => {
      binding.abortProbe(handle);
    };
    signal?.addEventListener('abort', abort);
    return await done;
  } catch (error) {
    if (isAborted(error)) signal?.throwIfAborted();
    throw toSnapshardError(error, context);
  } finally {
    if (abort !== undefined) signal?.removeEventListener('abort', abort);
  }
}

function isAborted(error: unknown): boolean {
  return error instanceof Error && 'kind' in error && error.kind === 'aborted';
}

async function inFolder<T>(folder: string, run: (store: NativeStore) => Promise<T>): Promise<T> {
  const store = await NativeStore.open(folder, 'make', 'the folder');
  try {
    return await run(store);
  } finally {
    await store.close();
  }
}

async function inStaging<T>(
  options: StagingOptions,
  signal: AbortSignal | undefined,
  run: (staging: StagingInfo) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const staging = await createStaging(options, true);
  try {
    signal?.throwIfAborted();
    return await run(staging);
  } finally {
    await closeStaging(staging.handle);
  }
}
