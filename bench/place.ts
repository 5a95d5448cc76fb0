import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { formatBytes, GiB } from './units.js';

/** The benchmark's own folder: everything it writes lies in there, and goes with it. */
export interface Place {
  /** A fresh, empty folder below it. */
  folder(name: string): string;
  /** Removes what one trial wrote, and waits until the file system has settled. */
  clear(path: string): void;
  remove(): void;
}

/** Refuses when `directory` has no room for what one trial writes, or memory none for its sources and pool. */
export function makePlace(directory: string, outputBytes: number, memoryBytes: number): Place {
  refuseWithoutRoom(directory, outputBytes, memoryBytes);
  const root = mkdtempSync(join(resolve(directory), 'snapshard-bench-'));
  let count = 0;
  return {
    folder(name) {
      const path = join(root, `${String(count++).padStart(4, '0')}-${name}`);
      mkdirSync(path);
      return path;
    },
    clear(path) {
      rmSync(path, { recursive: true, force: true });
      execFileSync('sync', ['-f', root]);
    },
    remove() {
      rmSync(root, { recursive: true, force: true });
    },
  };
}

function refuseWithoutRoom(directory: string, outputBytes: number, memoryBytes: number): void {
  const { bavail, bsize } = statfsSync(directory);
  const needed = Math.ceil(outputBytes * 1.05) + GiB / 4;
  if (bavail * bsize < needed) {
    throw new Error(
      `${directory} has ${formatBytes(bavail * bsize)} free; a trial needs ${formatBytes(needed)}: ` +
        'give another --dir or fewer --bytes',
    );
  }
  const available = availableMemoryBytes();
  if (available < memoryBytes) {
    throw new Error(
      `${formatBytes(available)} of memory are free; a trial needs ${formatBytes(memoryBytes)} for its sources ` +
        'and pool: give fewer --bytes',
    );
  }
}

function availableMemoryBytes(): number {
  const match = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'));
  return Number(match?.[1] ?? 0) * 1024;
}
