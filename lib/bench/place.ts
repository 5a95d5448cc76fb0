import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { sizeIn } from '../cli/text.js';

/** The benchmark's own folder: everything it writes lies in there, and goes with it. */
export interface Place {
  /**
   * Gives a trial a fresh folder, and the time (Unix, milliseconds) before which it must not write: the device has then
   * rested equally for all. Afterwards the folder is removed and the file system synced.
   */
  use<T>(name: string, trial: (folder: string, startAt_ms: number) => Promise<T>): Promise<T>;
  remove(): void;
}

/** What one trial needs at most. */
export interface Room {
  outputBytes: number;
  memoryBytes: number;
}

/** Refuses when `directory` has no room for what one trial writes, or memory none for its sources and pool. */
export function makePlace(directory: string, room: Room, restSeconds: number): Place {
  refuseWithoutRoom(directory, room);
  const root = mkdtempSync(join(resolve(directory), 'snapshard-bench-'));
  let quietSince_ms = Date.now();
  return {
    async use(name, trial) {
      const folder = join(root, name);
      mkdirSync(folder);
      try {
        return await trial(folder, quietSince_ms + restSeconds * 1000);
      } finally {
        rmSync(folder, { recursive: true, force: true });
        execFileSync('sync', ['-f', root]);
        quietSince_ms = Date.now();
      }
    },
    remove() {
      rmSync(root, { recursive: true, force: true });
    },
  };
}

function refuseWithoutRoom(directory: string, { outputBytes, memoryBytes }: Room): void {
  const { bavail, bsize } = statfsSync(directory);
  const needed = Math.ceil(outputBytes * 1.05) + 2 ** 28;
  if (bavail * bsize < needed) {
    throw new Error(
      `${directory} has ${sizeIn(bavail * bsize)} free; a trial needs ${sizeIn(needed)}: ` +
        'give another --dir or fewer --bytes',
    );
  }
  const available = availableMemoryBytes();
  if (available < memoryBytes) {
    throw new Error(
      `${sizeIn(available)} of memory are free; a trial needs ${sizeIn(memoryBytes)} for its sources ` +
        'and pool: give fewer --bytes',
    );
  }
}

function availableMemoryBytes(): number {
  const match = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'));
  return Number(match?.[1] ?? 0) * 1024;
}
