import { execFileSync } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface LoopMount {
  /** Root of a file system of its own. */
  path: string;
  remount(mode: 'ro' | 'rw'): void;
  /** Until it thaws, whatever would change it waits: a device that does not answer. */
  freeze(): void;
  thaw(): void;
  unmount(): void;
}

/** How to make a file system, and with what options to mount it. */
export interface Format {
  make: readonly [program: string, ...options: string[]];
  mountOptions?: string;
}

const plainExt4: Format = { make: ['mkfs.ext4', '-q', '-m', '0', '-O', '^has_journal'] };

/** Makes a small file system in a file of `folder`; a string says why that cannot be done here. */
export function mountSmallDisk(folder: string, bytes: number, format = plainExt4): LoopMount | string {
  if (process.getuid?.() !== 0) return 'mounting a file system needs root';
  const image = join(folder, 'disk.img');
  const path = join(folder, 'mount');
  writeFileSync(image, '');
  truncateSync(image, bytes);
  mkdirSync(path);
  try {
    run(...format.make, image);
    run('mount', '-o', ['loop', format.mountOptions ?? 'rw'].join(','), image, path);
  } catch (error) {
    return `no loop mount: ${String(error)}`;
  }
  return {
    path,
    remount: (mode) => {
      run('mount', '-o', `remount,${mode}`, path);
    },
    freeze: () => {
      run('fsfreeze', '--freeze', path);
    },
    thaw: () => {
      run('fsfreeze', '--unfreeze', path);
    },
    unmount: () => {
      run('umount', '--lazy', path);
    },
  };
}

export interface MemoryMount {
  /** Root of a file system in memory. */
  path: string;
  unmount(): void;
}

/** Mounts memory below `folder`; a string says why that cannot be done here. */
export function mountMemory(folder: string, bytes: number): MemoryMount | string {
  if (process.getuid?.() !== 0) return 'mounting a file system needs root';
  const path = join(folder, 'memory');
  mkdirSync(path);
  try {
    run('mount', '-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path);
  } catch (error) {
    return `no tmpfs mount: ${String(error)}`;
  }
  return {
    path,
    unmount: () => {
      run('umount', '--lazy', path);
    },
  };
}

function run(command: string, ...options: string[]): void {
  execFileSync(command, options, { stdio: ['ignore', 'ignore', 'pipe'] });
}
