import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { setTimeout } from 'node:timers/promises';
import { MiB } from '../../support/bytes.js';

const execute = promisify(execFile);

/** A file system to lose power under. */
export interface DiskFormat {
  readonly name: 'ext4' | 'xfs' | 'btrfs';
  /** The least, or little more, that its program makes. */
  readonly bytes: number;
  readonly options: readonly string[];
  /** Which a device writes whole or not at all: btrfs' superblock, of 4 KiB, has no other copy that a mount looks at. */
  readonly sectorBytes: number;
}

export const formats: readonly DiskFormat[] = [
  { name: 'ext4', bytes: 96 * MiB, options: ['-q', '-F', '-m', '0'], sectorBytes: 512 },
  { name: 'xfs', bytes: 304 * MiB, options: ['-q', '-f'], sectorBytes: 512 },
  { name: 'btrfs', bytes: 128 * MiB, options: ['-q', '-f'], sectorBytes: 4096 },
];

export async function run(command: string, ...options: string[]): Promise<string> {
  const { stdout } = await execute(command, options, { timeout: 60_000 });
  return stdout.trim();
}

/** Until it is free: a process that has just ended may hold it for a moment. */
export async function unmount(place: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await run('umount', place);
      return;
    } catch (error) {
      if (attempt === 50) throw error;
      await setTimeout(20 * Math.min(attempt, 10));
    }
  }
}

/** While the file system in a file is mounted. */
export async function whileMounted(file: string, place: string, look: () => Promise<void>): Promise<void> {
  await run('mount', '-o', 'loop', file, place);
  try {
    await look();
  } finally {
    await unmount(place);
  }
}
