import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { diskFolder } from './disk_folder.js';

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
    rmSync(root.path, { recursive: true, force: true });
  });
  return root;
}

/** What is there, hidden names included, sorted. */
export function namesIn(path: string): string[] {
  return readdirSync(path).sort();
}
