/** What the kernel keeps of files in memory: dropped, shown, and filled, each for exactly those files. */
import { open } from 'node:fs/promises';
import { runCommand } from './command.js';

/** A command line has a limit. */
const pathsAtOnce = 256;
const readBytes = 2 ** 22;

/**
 * Drops files from the page cache, once what was written to them is on disk: `posix_fadvise(POSIX_FADV_DONTNEED)`, as
 * coreutils' dd calls it. No rights are needed for files of one's own.
 * @returns why it could not be done; `undefined` when it was
 */
export async function dropFromCache(paths: readonly string[], signal: AbortSignal): Promise<string | undefined> {
  try {
    for (const path of paths) await runCommand('dd', [`if=${path}`, 'iflag=nocache', 'count=0', 'status=none'], signal);
    return undefined;
  } catch {
    signal.throwIfAborted();
    return 'the page cache was not dropped: that takes dd of coreutils';
  }
}

/** Bytes of files that are in the page cache, as util-linux's fincore tells; `undefined` where it is not there. */
export async function cachedBytes(paths: readonly string[], signal: AbortSignal): Promise<number | undefined> {
  let sum = 0;
  try {
    for (let at = 0; at < paths.length; at += pathsAtOnce) {
      const some = paths.slice(at, at + pathsAtOnce);
      const output = await runCommand('fincore', ['--bytes', '--noheadings', '--output', 'RES', ...some], signal);
      for (const line of output.trim().split('\n')) sum += Number(line);
    }
    return sum;
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

/** Reads files as most programs do, so that the page cache has them, as far as there is memory. */
export async function readThroughCache(paths: readonly string[], signal: AbortSignal): Promise<void> {
  const buffer = Buffer.allocUnsafe(readBytes);
  for (const path of paths) {
    const file = await open(path);
    try {
      while ((await file.read(buffer, 0, readBytes)).bytesRead > 0) signal.throwIfAborted();
    } finally {
      await file.close();
    }
  }
}
