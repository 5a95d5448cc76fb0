import { SnapshardError } from '../errors.js';
import type { ListedFile } from '../layout/manifest.js';
import type { Manifest } from '../layout/manifest_reader.js';
import { manifestName } from '../layout/names.js';
import type { RankManifest } from '../layout/rank_manifest_reader.js';
import { TimeSlices } from '../layout/time_slices.js';
import { readManifest } from '../store/manifest_file.js';
import { hasErrno } from '../store/native_error.js';
import type { Store } from '../store/store.js';
import { describe, quote } from '../tensor/describe.js';
import { Gathering } from './gather.js';
import { isGone, isThere } from './gone.js';
import { readRankManifests } from './rank_manifest_files.js';
import type { StoredCheckpoint, StoredSideFile } from './stored.js';

function corrupt(message: string): SnapshardError {
  return new SnapshardError('ERR_SNAPSHARD_CORRUPT', message);
}

function byName(files: readonly ListedFile[]): Map<string, StoredSideFile> {
  return new Map(files.map((file) => [file.name, file]));
}

function checkTogether(rank: RankManifest, manifest: Manifest): void {
  const digests = manifest.ranks[rank.rank]?.digests;
  const pairs: [field: string, found: unknown, expected: unknown][] = [
    ['step', rank.step, manifest.step],
    ['save', rank.save, manifest.save],
    ['worldSize', rank.worldSize, manifest.worldSize],
    ['digests.bytes', rank.digests.bytes, digests?.bytes],
    ['digests.digest', rank.digests.digest, digests?.digest],
  ];
  for (const [field, found, expected] of pairs) {
    if (found === expected) continue;
    const values = `\`${field}\` is ${describe(found)}, but ${describe(expected)} in ${manifestName}`;
    throw corrupt(`the manifest of rank ${rank.rank} is of another save: its ${values}.`);
  }
}

async function gather(store: Store, manifest: Manifest, slices: TimeSlices): Promise<Gathering> {
  const gathering = new Gathering(slices);
  const sideFiles = byName(manifest.files);
  for await (const rank of readRankManifests(store, manifest, slices)) {
    checkTogether(rank, manifest);
    for (const { name, digest } of rank.sideFiles) {
      if (sideFiles.get(name)?.digest === digest) continue;
      throw corrupt(`${manifestName} does not list ${quote(name)} as rank ${rank.rank} wrote it.`);
    }
    await gathering.addRank(rank);
  }
  return gathering;
}

/** A handle that a server took back tells nothing of a file that is there. */
async function isMissing(error: SnapshardError): Promise<boolean> {
  if (hasErrno(error, 'ENOENT')) return true;
  return hasErrno(error, 'ESTALE') && error.path !== undefined && !(await isThere(error.path).catch(() => true));
}

/** What the checkpoint's user is told, who knows where it is, of what went wrong inside. */
async function explain(store: Store, digest: string | undefined, cause: unknown): Promise<unknown> {
  if (!(cause instanceof SnapshardError)) return cause;
  const details = { cause, path: store.root };
  if (cause.code === 'ERR_SNAPSHARD_UNSUPPORTED_VERSION') {
    return new SnapshardError(cause.code, `Cannot open ${store.root}: ${cause.message}`, details);
  }
  if (hasErrno(cause, 'ENOENT', 'ESTALE') && (digest === undefined || (await isGone(store.root, digest)))) {
    const message = `${store.root} was removed or replaced while it was read: look again for what is there.`;
    return new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', message, details);
  }
  const missing = (await isMissing(cause)) ? `${cause.path ?? 'a file'} is missing.` : undefined;
  if (missing === undefined && cause.code !== 'ERR_SNAPSHARD_CORRUPT') return cause;
  const message = `${store.root} is damaged: ${missing ?? cause.message}`;
  return new SnapshardError('ERR_SNAPSHARD_CORRUPT', message, details);
}

/**
 * Reads the manifests of a checkpoint of our own, all through one handle, and checks them.
 * @param store its directory
 * @throws {SnapshardError} `ERR_SNAPSHARD_CORRUPT`; `ERR_SNAPSHARD_UNSUPPORTED_VERSION`; `ERR_SNAPSHARD_NOT_FOUND`
 *   where it was removed meanwhile
 */
export async function readOwn(store: Store): Promise<StoredCheckpoint> {
  const slices = new TimeSlices();
  let manifest: Manifest | undefined;
  try {
    manifest = await readManifest(store, '', slices);
    const { files, tensors } = await gather(store, manifest, slices);
    const { step, time, worldSize, metadata, digest, ranks, indexes } = manifest;
    const rankFiles = ranks.flatMap((rank) => [rank.manifest, rank.digests]);
    return {
      ...{ format: 'snapshard', hasDigests: true, step, time, digest, worldSize, metadata, files, tensors },
      ...{ sideFiles: byName(manifest.files), listedFiles: byName([...indexes, ...rankFiles]) },
    };
  } catch (error) {
    throw await explain(store, manifest?.digest, error);
  }
}
