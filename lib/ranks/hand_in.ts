import { ranksDirectory, rankManifestName, unfinishedRankManifestName } from '../layout/names.js';
import { hasErrno } from '../store/native_error.js';
import type { ListedContents, RankFiles } from '../store/protocol.js';
import { renameOwn } from '../store/rename.js';
import type { Store } from '../store/store.js';

/**
 * Adds what one rank has beside its shards, makes all of it and their names durable, and then, by one rename, hands it
 * in.
 */
export async function handIn(store: Store, path: string, rank: number, files: RankFiles): Promise<void> {
  const unfinished = `${path}/${unfinishedRankManifestName(rank)}`;
  await Promise.all([
    ...files.sideFiles.map((file) => addSideFile(store, path, file)),
    store.writeFiles([
      { path: `${path}/${files.digests.name}`, contents: files.digests.contents },
      { path: unfinished, contents: files.manifest.contents },
    ]),
    store.syncDirectories([`${path}/${ranksDirectory}`, path]),
  ]);
  await renameOwn(store, unfinished, `${path}/${rankManifestName(rank)}`);
}

/** Another rank may have the same file: rank 0 compares their digests. */
async function addSideFile(store: Store, path: string, { name, contents }: ListedContents): Promise<void> {
  try {
    await store.writeFiles([{ path: `${path}/${name}`, contents }]);
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
  }
}
