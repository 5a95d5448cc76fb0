import { mkdtempSync, readdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { ownFileSystem } from '../../lib/ranks/shared_root.js';
import { diskFolder, removeFolder } from './disk_folder.js';

export { diskFolder };

export interface Root {
  /** Absolute path of an empty directory, another one for each test. */
  path: string;
}

/** Gives each test of the file a directory to save in, and removes it afterwards. */
export function useRoot(): Root {
  const root = { path: '' };
  beforeEach(() => {
    root.path = mkdtempSync(join(diskFolder(), 'snapshard-test-'));
  });
  afterEach(() => {
    removeFolder(root.path);
  });
  return root;
}

/**
 * Of these names, those that the next writer must not have left there. Where a lock on a directory does not tell
 * whether its owner has died, as on NFS, what is half-written stays for an hour.
 */
export function withoutLeftovers(path: string, names: readonly string[]): string[] {
  if (ownFileSystem(statfsSync(path).type) !== undefined) return [...names];
  const kept = names.filter((name) => !name.endsWith('.partial'));
  if (kept.length < names.length) console.warn(`${path}: locks tell nothing here: half-written saves are left alone.`);
  return kept;
}

/** What is there, hidden names included, sorted. */
export function namesIn(path: string): string[] {
  return readdirSync(path).sort();
}
