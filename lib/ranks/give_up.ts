import { hasErrno } from '../store/native_error.js';
import type { Failure } from './failure.js';
import type { SaveRecords } from './save_records.js';

/** Tells the others why this rank gives a save up. Resolves to whether it could. */
export async function tellFailure(records: SaveRecords, failure: Failure): Promise<boolean> {
  try {
    await records.tell(failure);
    return true;
  } catch {
    return false;
  }
}

/**
 * Where telling failed, on a full disk most likely: what this rank wrote itself makes room for it. Only for a save that
 * nobody can publish any more.
 * @param directory where the shards lie now
 */
export async function tellOnFullDisk(
  records: SaveRecords,
  failure: Failure,
  directory: string,
  shards: readonly string[],
): Promise<boolean> {
  const { store } = records.session;
  try {
    for (const shard of shards) await store.removeTree(`${directory}/${shard}`);
  } catch {
    return false;
  }
  return await tellFailure(records, failure);
}

/** Takes the directory of a save away, so that nobody can publish it any more. Resolves to whether this call did. */
export async function takeAway(records: SaveRecords): Promise<boolean> {
  const { store } = records.session;
  try {
    await store.rename(records.path, records.deadName);
    return true;
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ESTALE')) return false;
    // Over NFS, a rename that was done may be answered with an error.
    const names = await store.listRoot().catch((): string[] => []);
    return names.includes(records.deadName);
  }
}
