import { execFileSync } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface LoopMount {
  /** Root of an ext4 of its own. */
  path: string;
  remount(mode: 'ro' | 'rw'): void;
  /** Until it thaws, whatever would change it waits: a device that does not answer. */
  freeze(): void;
  thaw(): void;
  unmount(): void;
}

/** Makes a small file system in a file of `folder`; a string says why that cannot be done here. */
export function mountSmallDisk(folder: string, bytes: number): LoopMount | string {
  if (process.getuid?.() !== 0) return 'mounting a file system needs root';
  const image = join(folder, 'disk.img');
  const path = join(folder, 'mount');
  writeFileSync(image, '');
  truncateSync(image, bytes);
  mkdirSync(path);
  try {
    run('mkfs.ext4', '-q', '-m', '0', '-O', '^has_journal', image);
    run('mount', '-o', 'loop', image, path);
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

function run(command: string, ...options: string[]): void {
  execFileSync(command, options, { stdio: ['ignore', 'ignore', 'pipe'] });
}
