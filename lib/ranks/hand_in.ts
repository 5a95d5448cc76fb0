import { ranksDirectory, rankManifestName, unfinishedRankManifestName } from '../layout/names.js';
import { hasErrno } from '../store/native_error.js';
import type { ListedContents, RankFiles } from '../store/protocol.js';
import { renameOwn } from '../store/rename.js';
import type { Store } from '../store/store.js';

/** Adds what one rank has beside its shards, and makes all of it and their names durable: ready to be handed in. */
export async function completePart(store: Store, path: string, rank: number, files: RankFiles): Promise<void> {
  await Promise.all([
    ...files.sideFiles.map((file) => addSideFile(store, path, file)),
    store.writeFiles([
      { path: `${path}/${files.digests.name}`, contents: files.digests.contents },
      { path: `${path}/${unfinishedRankManifestName(rank)}`, contents: files.manifest.contents },
    ]),
    store.syncDirectories([`${path}/${ranksDirectory}`, path]),
  ]);
}

/** By one rename. If that fails, it may have been done all the same. */
export function handIn(store: Store, path: string, rank: number): Promise<void> {
  return renameOwn(store, `${path}/${unfinishedRankManifestName(rank)}`, `${path}/${rankManifestName(rank)}`);
}

/** Another rank may have the same file: rank 0 compares their digests. */
async function addSideFile(store: Store, path: string, { name, contents }: ListedContents): Promise<void> {
  try {
    await store.writeFiles([{ path: `${path}/${name}`, contents }]);
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
  }
}
