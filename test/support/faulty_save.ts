import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { buildDeny } from './faulty_run.js';

export * from './faulty_run.js';

let folder: string | undefined;
let launcherPath: string | undefined;

afterAll(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true });
});

/** Under a kernel that refuses system calls, such as `openat2=ENOSYS`; see deny.c. */
export function denying(...rules: string[]): string[] {
  folder ??= mkdtempSync(join(tmpdir(), 'snapshard-deny-'));
  launcherPath ??= buildDeny(folder);
  return [launcherPath, rules.join(',')];
}
