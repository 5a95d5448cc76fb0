import { deadDirectoryName } from '../layout/names.js';
import { hasErrno } from './native_error.js';
import { newNonce } from './nonce.js';
import type { Store } from './store.js';

/**
 * Takes directories away from readers, in the order given; one that is gone already is no error.
 * @returns the names under which {@link discard} finds them
 */
export async function retire(store: Store, names: readonly string[]): Promise<string[]> {
  const retired: string[] = [];
  for (const name of names) {
    const dead = deadDirectoryName(newNonce());
    try {
      await store.rename(name, dead);
      retired.push(dead);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
  }
  return retired;
}

/**
 * Deletes retired directories. The root is synced first, so that no power loss brings back a checkpoint of which half
 * is deleted. What is busy stays under its `.dead` name, for a later sweep.
 */
export async function discard(store: Store, retired: readonly string[]): Promise<void> {
  if (retired.length === 0) return;
  await store.syncDirectories(['']);
  for (const name of retired) {
    try {
      await store.removeTree(name);
    } catch (error) {
      if (!hasErrno(error, 'EBUSY', 'ENOTEMPTY')) throw error;
    }
  }
}
