import { mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach } from 'vitest';

const tmpfsMagic = 0x01021994;
const repository = fileURLToPath(new URL('../..', import.meta.url));

/** A folder on a disk: the temporary folder, unless that is memory. */
export function diskFolder(): string {
  return statfsSync(tmpdir()).type === tmpfsMagic ? repository : tmpdir();
}

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
