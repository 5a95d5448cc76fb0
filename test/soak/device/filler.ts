import { closeSync, ftruncateSync, fsyncSync, mkdirSync, openSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MiB } from '../../support/bytes.js';
import { run } from '../power/disk.js';

/** Takes all of something that a file system has, and gives it back little by little. */
export interface Filler {
  /** @param bytes about so many; where it holds something else, one */
  giveBack(bytes: number): Promise<void>;
  /** All of it. */
  end(): Promise<void>;
}

/** @returns how many bytes could be added */
function fillUp(file: number): number {
  const zeros = Buffer.alloc(MiB);
  let added = 0;
  for (let bytes = MiB; bytes >= 512; ) {
    try {
      const written = writeSync(file, zeros, 0, bytes);
      added += written;
      if (written < bytes) bytes /= 2;
    } catch {
      bytes /= 2;
    }
  }
  return added;
}

/** Takes every block. */
export function fillBlocks(place: string): Filler {
  const path = join(place, 'filler');
  const file = openSync(path, 'a');
  let size = 0;
  // What is not allocated yet may turn out to take less than was reserved.
  for (let added = -1; added !== 0; size += added) {
    added = fillUp(file);
    fsyncSync(file);
  }
  return {
    giveBack: (bytes) => {
      size = Math.max(0, size - bytes);
      ftruncateSync(file, size);
      return Promise.resolve();
    },
    end: () => {
      closeSync(file);
      rmSync(path);
      return Promise.resolve();
    },
  };
}

/** Takes every inode, where their number is fixed. */
export function fillInodes(place: string): Filler {
  const folder = join(place, 'filler');
  mkdirSync(folder);
  try {
    for (let number = 0; ; number += 1) writeFileSync(join(folder, String(number)), '');
  } catch {
    // That was the last.
  }
  return {
    giveBack: () => {
      const [first] = readdirSync(folder);
      if (first !== undefined) rmSync(join(folder, first));
      return Promise.resolve();
    },
    end: () => {
      rmSync(folder, { recursive: true });
      return Promise.resolve();
    },
  };
}

const pieceBytes = 64 * 1024;

/** What is left of a quota of a Btrfs: in files, since at its quota it refuses to cut one, and not to delete it. */
export async function fillQuota(place: string): Promise<Filler> {
  await run('btrfs', 'quota', 'enable', place);
  await run('btrfs', 'quota', 'rescan', '-w', place);
  await run('btrfs', 'qgroup', 'limit', '24M', place);
  const folder = join(place, 'filler');
  mkdirSync(folder);
  for (let number = 0; await isWritten(join(folder, String(number))); number += 1) continue;
  return {
    giveBack: async (bytes) => {
      for (const name of readdirSync(folder).slice(0, Math.ceil(bytes / pieceBytes))) rmSync(join(folder, name));
      // What was deleted counts until the next commit.
      await run('btrfs', 'filesystem', 'sync', place);
    },
    end: async () => {
      rmSync(folder, { recursive: true });
      await run('btrfs', 'filesystem', 'sync', place);
    },
  };
}

async function isWritten(path: string): Promise<boolean> {
  try {
    await writeFile(path, Buffer.alloc(pieceBytes, path), { flush: true });
    return true;
  } catch {
    return false;
  }
}
