import {
  deadDirectoryName,
  isDeadDirectory,
  parsePartialDirectory,
  parseSessionEntry,
  rosterName,
  sessionDirectoryName,
} from '../layout/names.js';
import { newNonce } from './nonce.js';
import type { Store } from './store.js';
import { sweepSuperseded } from './superseded.js';

/** Where locks do not tell, as on NFS, a half-written save is left over when nothing in it changed for so long. */
const saveIdleSeconds = 3600;
/** In a session, nothing changes for as long as its run goes well. */
const sessionIdleSeconds = 30 * 24 * 3600;

/**
 * Removes what earlier processes left: directories given up, half-written saves and sessions that nobody holds, and
 * checkpoints that were replaced. It does what it can: what it cannot remove wastes space and harms nothing, so that it
 * never fails.
 */
export async function sweepLeftovers(store: Store): Promise<void> {
  const names = await store.listRoot().catch((): string[] => []);
  for (const name of names) {
    await sweep(store, name).catch(() => undefined);
  }
  await sweepSuperseded(store, names);
  const here = new Set(await store.listRoot().catch((): string[] => []));
  for (const name of here) {
    if (isOrphan(name, here)) await store.removeTree(name).catch(() => undefined);
  }
}

async function sweep(store: Store, name: string): Promise<void> {
  if (isDeadDirectory(name)) return store.removeTree(name);
  const isSession = parseSessionEntry(name)?.kind === 'directory';
  if (!isSession && parsePartialDirectory(name) === undefined) return;
  const dead = deadDirectoryName(newNonce());
  if (await store.reclaim(name, dead, isSession ? sessionIdleSeconds : saveIdleSeconds)) await store.removeTree(dead);
}

/** A roster whose session is gone. */
function isOrphan(name: string, here: ReadonlySet<string>): boolean {
  const entry = parseSessionEntry(name);
  if (entry?.kind !== 'roster') return false;
  const { run, nonce } = entry;
  return name === rosterName(run, nonce) && !here.has(sessionDirectoryName(run, nonce));
}
