import { hasErrno } from '../store/native_error.js';
import type { Store } from '../store/store.js';
import type { Failure } from './failure.js';
import type { SaveRecords } from './save_records.js';

/**
 * Tells the others why this rank gives the save up. On a full disk, what it wrote itself makes room for saying so.
 * @returns whether it could be told
 */
export async function tellFailure(
  store: Store,
  records: SaveRecords,
  failure: Failure,
  shards: readonly string[],
): Promise<boolean> {
  try {
    await records.tell(failure);
    return true;
  } catch (error) {
    if (!hasErrno(error, 'ENOSPC', 'EDQUOT')) return false;
  }
  try {
    for (const shard of shards) await store.removeTree(`${records.path}/${shard}`);
    await records.tell(failure);
    return true;
  } catch {
    return false;
  }
}

/**
 * Takes the directory of a save away, so that nobody can publish it any more.
 * @returns whether this call did
 */
export async function takeAway(store: Store, records: SaveRecords): Promise<boolean> {
  try {
    await store.rename(records.path, records.deadName);
    return true;
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ESTALE')) return false;
    // Over NFS, a rename that was done may be answered with an error.
    const names = await store.list('').catch((): string[] => []);
    return names.includes(records.deadName);
  }
}
