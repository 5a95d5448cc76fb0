import { deadDirectoryName, isDeadDirectory, parsePartialDirectory } from '../layout/names.js';
import type { Store } from './store.js';

/** Where a file system has no locks, a half-written save is left over when nothing in it changed for so long. */
const idleSeconds = 3600;

/**
 * Removes what earlier processes left: directories given up, and half-written saves that nobody holds. It does what it
 * can: what it cannot remove wastes space and harms nothing, so that it never fails.
 */
export async function sweepLeftovers(store: Store): Promise<void> {
  const names = await store.list('').catch(() => []);
  for (const name of names) {
    await sweep(store, name).catch(() => undefined);
  }
}

async function sweep(store: Store, name: string): Promise<void> {
  if (isDeadDirectory(name)) return store.removeTree(name);
  const partial = parsePartialDirectory(name);
  if (partial === undefined) return;
  const dead = deadDirectoryName(partial.nonce);
  if (await store.reclaim(name, dead, idleSeconds)) await store.removeTree(dead);
}
