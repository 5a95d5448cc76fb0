import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { setTimeout } from 'node:timers/promises';
import { MiB } from '../../support/bytes.js';

const execute = promisify(execFile);

/** A file system to lose power under. */
export interface DiskFormat {
  readonly name: string;
  /** The least, or little more, that its program makes. */
  readonly bytes: number;
  readonly make: readonly [program: string, ...options: string[]];
  readonly mountOptions: string;
  /** Which a device writes whole or not at all: btrfs' superblock, of 4 KiB, has no other copy that a mount looks at. */
  readonly sectorBytes: number;
}

const ext4 = { bytes: 96 * MiB, mountOptions: 'rw', sectorBytes: 512 } as const;
const makeExt4 = ['mkfs.ext4', '-q', '-F', '-m', '0'] as const;

export const formats: readonly DiskFormat[] = [
  { name: 'ext4', make: makeExt4, ...ext4 },
  { name: 'xfs', make: ['mkfs.xfs', '-q', '-f'], bytes: 304 * MiB, mountOptions: 'rw', sectorBytes: 512 },
  { name: 'btrfs', make: ['mkfs.btrfs', '-q', '-f'], bytes: 128 * MiB, mountOptions: 'rw', sectorBytes: 4096 },
  { name: 'ext4, data=writeback', make: makeExt4, ...ext4, mountOptions: 'data=writeback' },
];

function lacks(program: string): boolean {
  try {
    execFileSync('which', [program], { stdio: 'ignore' });
    return false;
  } catch {
    return true;
  }
}

/** Why power cannot be lost under such a file system here; `undefined` where it can. */
export function whyNot({ make: [program] }: DiskFormat): string | undefined {
  if (process.getuid?.() !== 0) return 'mounting a file system needs root';
  const device = ['/dev/fuse', '/dev/loop-control'].find((path) => !existsSync(path));
  if (device !== undefined) return `there is no ${device}`;
  const lacking = ['cc', 'losetup', program].find(lacks);
  return lacking === undefined ? undefined : `there is no program ${lacking}`;
}

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

/** While the file system of a file or a device is mounted. */
export async function whileMounted(
  source: string,
  options: readonly string[],
  place: string,
  look: () => Promise<void>,
): Promise<void> {
  await run('mount', '-o', options.join(','), source, place);
  try {
    await look();
  } finally {
    await unmount(place);
  }
}
