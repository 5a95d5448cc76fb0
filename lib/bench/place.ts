import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SnapshardError } from '../errors.js';
import { runCommand } from './command.js';
import { signOwner } from './leftovers.js';
import { requireRoom, type Room } from './room.js';

export type { Room };

export const placePrefix = 'snapshard-bench-';

/** The benchmark's own folder: everything it writes lies in there, and goes with it. */
export interface Place {
  /** Absolute path. */
  readonly root: string;
  /**
   * Gives a trial a fresh folder, and the time (Unix, milliseconds) before which it must not write: the device has then
   * rested equally for all. Afterwards the folder is removed and the file system synced.
   */
  use<T>(name: string, trial: (folder: string, startAt_ms: number) => Promise<T>): Promise<T>;
  /** A trial has made what it needs. As long as that took it, the others let the device rest, too. */
  readonly prepared: () => void;
  /** Syncs the file system, and resolves to the time (Unix, milliseconds) at which the device has rested since. */
  settle(): Promise<number>;
  /** With all that is in it. Returns why that could not be done, with what does it; `undefined` when it was. */
  remove(): string | undefined;
}

/**
 * Makes a folder of its own in `directory`, which must exist.
 * @throws {SnapshardError} `ERR_SNAPSHARD_NO_SPACE`, `ERR_SNAPSHARD_NO_MEMORY` as {@link requireRoom}
 */
export function makePlace(directory: string, room: Room, restSeconds: number): Place {
  requireRoom(directory, room);
  const root = mkdtempSync(join(resolve(directory), placePrefix));
  const remove = (): string | undefined => {
    process.off('exit', remove);
    return removeTree(root);
  };
  // Whatever ends this process, as far as it can still do something about it.
  process.on('exit', remove);
  signOwner(root);
  let quietSince_ms = Date.now();
  let rest_ms = restSeconds * 1000;
  const restedAt_ms = (): number => quietSince_ms + rest_ms;
  const settle = async (): Promise<number> => {
    await syncFileSystem(root);
    quietSince_ms = Date.now();
    return restedAt_ms();
  };
  return {
    root,
    settle,
    prepared() {
      rest_ms = Math.max(rest_ms, Date.now() - quietSince_ms);
    },
    async use(name, trial) {
      const folder = join(root, name);
      mkdirSync(folder);
      try {
        return await trial(folder, restedAt_ms());
      } finally {
        // What stays goes with all the rest, in the end.
        removeTree(folder);
        await settle();
      }
    },
    remove,
  };
}

async function syncFileSystem(folder: string): Promise<void> {
  try {
    await runCommand('sync', ['-f', folder], new AbortController().signal);
  } catch (cause) {
    const message = `${folder} cannot be synced any more (${cause instanceof Error ? cause.message : String(cause)}): did something else remove it?`;
    throw new SnapshardError('ERR_SNAPSHARD_IO', message, { cause, path: folder });
  }
}

/**
 * NFS and FUSE keep a file that is still open, under another name, until whoever has it open has let go of it.
 * @returns why it could not be removed; `undefined` when it was
 */
export function removeTree(path: string): string | undefined {
  try {
    rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    return undefined;
  } catch (error) {
    return `${path} could not be removed (${error instanceof Error ? error.message : String(error)}): rm -r ${path}`;
  }
}
