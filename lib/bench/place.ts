import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
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
  /** Syncs the file system, and resolves to the time (Unix, milliseconds) at which the device has rested since. */
  settle(): Promise<number>;
  /** With all that is in it. */
  remove(): void;
}

/**
 * Makes a folder of its own in `directory`, which must exist.
 * @throws {SnapshardError} `ERR_SNAPSHARD_NO_SPACE`, `ERR_SNAPSHARD_NO_MEMORY` as {@link requireRoom}
 */
export function makePlace(directory: string, room: Room, restSeconds: number): Place {
  requireRoom(directory, room);
  const root = mkdtempSync(join(resolve(directory), placePrefix));
  signOwner(root);
  const remove = (): void => {
    process.off('exit', remove);
    removeTree(root);
  };
  // Whatever ends this process, as far as it can still do something about it.
  process.on('exit', remove);
  let quietSince_ms = Date.now();
  const restedAt_ms = (): number => quietSince_ms + restSeconds * 1000;
  const settle = async (): Promise<number> => {
    await promisify(execFile)('sync', ['-f', root]).catch(ignoreInterrupt);
    quietSince_ms = Date.now();
    return restedAt_ms();
  };
  return {
    root,
    settle,
    async use(name, trial) {
      const folder = join(root, name);
      mkdirSync(folder);
      try {
        return await trial(folder, restedAt_ms());
      } finally {
        removeTree(folder);
        await settle();
      }
    },
    remove,
  };
}

/** A Ctrl-C ends that command as well; what it did not sync is in nobody's way then. */
function ignoreInterrupt(error: unknown): void {
  if ((error as { signal?: string }).signal !== 'SIGINT') throw error;
}

/** An NFS client keeps a file that is still open, under another name, until whoever has it open has let go of it. */
function removeTree(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}
