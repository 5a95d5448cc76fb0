import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { SnapshardError } from '../errors.js';
import { headerJsonBytes, lengthWordBytes, parseHeader, type ShardHeader } from '../layout/header_reader.js';
import type { TimeSlices } from '../layout/time_slices.js';
import { toSnapshardError, type Purpose } from '../store/native_error.js';
import { checkSliceCount } from './slice_limit.js';

/** A device or a pipe that somebody put there must not keep us waiting. */
const openFlags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
/** Of one read: a limit of the system. */
const readBytesMax = 2 ** 30;
/** Headers that are read at once; each may be 100 MB long. */
const readsAtOnce = 4;

/** A safetensors file that others wrote. */
export interface ForeignShard {
  /** Its name in the folder. */
  readonly name: string;
  readonly bytes: number;
  readonly header: ShardHeader;
}

interface RawHeader {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  readonly json: Uint8Array;
}

/** What Node says of a file, as what native says of one. */
export function fileError(error: unknown, action: string, path: string, purpose: Purpose = 'use'): Error {
  const { code, errno, syscall, message } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return error as Error;
  const native = { kind: 'system', errno: Math.abs(errno ?? 0), errnoName: code, syscall, path: '' } as const;
  return toSnapshardError(Object.assign(new Error(message), native), { action, root: path, purpose });
}

/** All of a range, or as much as the file has. */
async function readRange(file: FileHandle, begin: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const wanted = Math.min(length - filled, readBytesMax);
    const { bytesRead } = await file.read(bytes, filled, wanted, begin + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

/** Opens a file, links followed, and calls `use` with its length. */
async function withFile<T>(path: string, use: (file: FileHandle, bytes: number) => Promise<T>): Promise<T> {
  const file = await open(path, openFlags);
  try {
    const information = await file.stat();
    if (!information.isFile()) throw new SnapshardError('ERR_SNAPSHARD_CORRUPT', 'It is no regular file.');
    return await use(file, information.size);
  } finally {
    await file.close();
  }
}

/** Names the file in what a parser, which does not know it, found wrong. */
export async function named<T>(path: string, action: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    if (!(cause instanceof SnapshardError)) throw fileError(cause, action, path);
    throw new SnapshardError(cause.code, `Cannot ${action} ${path}: ${cause.message}`, { cause, path });
  }
}

/** All bytes of a small file. */
export function readForeignFile(path: string, bytesMax: number): Promise<Uint8Array> {
  return named(path, 'read', () =>
    withFile(path, (file, bytes) => {
      if (bytes <= bytesMax) return readRange(file, 0, bytes);
      const message = `It is ${bytes} bytes long; ${bytesMax} are the most.`;
      throw new SnapshardError('ERR_SNAPSHARD_CORRUPT', message);
    }),
  );
}

function readRawHeader(folder: string, name: string): Promise<RawHeader> {
  const path = join(folder, name);
  return named(path, 'read the header of', () =>
    withFile(path, async (file, bytes) => {
      const length = headerJsonBytes(await readRange(file, 0, lengthWordBytes), bytes);
      const json = await readRange(file, lengthWordBytes, length);
      if (json.length === length) return { name, path, bytes, json };
      throw new SnapshardError('ERR_SNAPSHARD_CORRUPT', 'It became shorter while it was read.');
    }),
  );
}

/**
 * Reads and checks the headers of safetensors files, in the order given, a few at once.
 * @throws {SnapshardError} `ERR_SNAPSHARD_CORRUPT`, `ERR_SNAPSHARD_UNKNOWN_DTYPE`, or what the system says, all naming
 *   the file
 */
export async function* readForeignShards(
  folder: string,
  names: readonly string[],
  slices: TimeSlices,
): AsyncGenerator<ForeignShard> {
  const begin = (name: string): Promise<RawHeader> => {
    const read = readRawHeader(folder, name);
    // Where an earlier one is broken, nobody asks for this.
    read.catch(() => undefined);
    return read;
  };
  const reads = names.slice(0, readsAtOnce).map(begin);
  try {
    for (const index of names.keys()) {
      const { name, path, bytes, json } = await reads.shift()!;
      const next = names[index + readsAtOnce];
      if (next !== undefined) reads.push(begin(next));
      const header = await named(path, 'open', () => parseHeader(json, bytes, slices, checkSliceCount));
      yield { name, bytes, header };
    }
  } finally {
    // Whoever is told that one is broken may delete them all: none is open any more.
    await Promise.allSettled(reads);
  }
}
