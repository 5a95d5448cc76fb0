import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Action {
  readonly do: 'save' | 'saveAsRanks' | 'sessions' | 'modes' | 'latest' | 'list' | 'remove' | 'die';
  readonly step?: number;
  readonly overwrite?: boolean;
  readonly fill?: number;
  readonly runId?: string;
}

export interface ActionEnd {
  readonly value?: unknown;
  readonly failure?: { readonly code?: string; readonly errno?: string; readonly message: string; readonly path?: string };
}

export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** Two who are nobody here, and share nothing. */
export const alice: User = { uid: 61_001, gid: 61_001 };
export const bob: User = { uid: 61_002, gid: 61_002 };

const program = fileURLToPath(new URL('children/as_user.mjs', import.meta.url));
const timeout = 60_000;

/** Why no other user can run this; `undefined` where one can. */
export function whyNoUsers(): string | undefined {
  if (process.getuid?.() !== 0) return 'becoming another user needs root';
  const { status } = spawnSync(process.execPath, [program, JSON.stringify({ root: '/', actions: [] })], { ...alice, timeout });
  return status === 0 ? undefined : 'other users may not read this folder';
}

/** Does these things in a process of that user; resolves to how each ended. A process that ends by a signal: to nothing. */
export function as(user: User | undefined, root: string, actions: readonly Action[], umask?: number): Promise<ActionEnd[]> {
  const argument = JSON.stringify({ root, umask, actions });
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [program, argument], { ...user, timeout }, (error, stdout, stderr) => {
      if (error?.signal === 'SIGKILL' && !error.killed) resolve([]);
      else if (error !== null || stderr !== '') reject(error ?? new Error(stderr));
      else resolve(JSON.parse(stdout) as ActionEnd[]);
    });
  });
}
