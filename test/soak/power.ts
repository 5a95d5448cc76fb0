import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { formats } from './power/disk.js';
import { powerTrial } from './power/trial.js';
import type { SoakClass } from './soak_class.js';

const images = 48;

function isThere(program: string): boolean {
  try {
    execFileSync('which', [program], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const able = formats.filter(({ name }) => isThere(`mkfs.${name}`));

export const soak: SoakClass = {
  name: 'power',
  about: 'The power goes at any moment of a run: what was told as published is there, and what is listed is whole.',
  cases: { count: images, called: 'disk images' },
  whyNot: () => {
    if (process.getuid?.() !== 0) return 'mounting a file system needs root';
    if (!existsSync('/dev/fuse')) return 'no /dev/fuse';
    if (!existsSync('/dev/loop-control')) return 'no loop devices';
    if (!isThere('cc')) return 'no C compiler';
    return able.length === 0 ? 'no mkfs.ext4, mkfs.xfs or mkfs.btrfs' : undefined;
  },
  trial: (seed, folder) => powerTrial({ seed, folder, format: able[seed % able.length]!, images }),
};
