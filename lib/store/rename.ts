import { hasErrno } from './native_error.js';
import type { Store } from './store.js';

/**
 * Renames something of this process's own to a name that no other takes. Over NFS a rename that was done may be answered
 * with an error: if the new name is there, it was.
 */
export async function renameOwn(store: Store, from: string, to: string): Promise<void> {
  try {
    await store.rename(from, to);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ESTALE', 'EEXIST')) throw error;
    const slash = to.lastIndexOf('/');
    const names = await store.list(to.slice(0, Math.max(0, slash)));
    if (!names.includes(to.slice(slash + 1))) throw error;
  }
}
