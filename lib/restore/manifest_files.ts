import { binding } from '../binding.js';
import { SnapshardError } from '../errors.js';
import type { ListedFile } from '../layout/manifest.js';
import { type Manifest, parseManifest } from '../layout/manifest_reader.js';
import { manifestName } from '../layout/names.js';
import { parseRankManifest, type RankManifest } from '../layout/rank_manifest_reader.js';
import type { TimeSlices } from '../layout/time_slices.js';
import { hasErrno } from '../store/native_error.js';
import type { Store } from '../store/store.js';

/** More than a manifest of 100,000 ranks and all the metadata that a save takes. */
export const manifestBytesMax = 2 ** 27;
const rankManifestBytesMax = 2 ** 30;

const digest = (bytes: Uint8Array): string => binding.digest(bytes);

/** Neither says where. */
function corrupt(message: string, cause?: unknown): SnapshardError {
  return new SnapshardError('ERR_SNAPSHARD_CORRUPT', message, { cause });
}

/** Native says EINVAL of fstat where something is no regular file; of a read it is the device's own. */
function isNoFile(error: unknown): boolean {
  if (hasErrno(error, 'EISDIR', 'ELOOP')) return true;
  return hasErrno(error, 'EINVAL') && (error as SnapshardError).syscall === 'fstat';
}

/** Reads a file of a checkpoint; what can be no such file makes the checkpoint a damaged one. */
async function readWhole(store: Store, path: string, bytesMax: number): Promise<Uint8Array> {
  try {
    return await store.readFile(path, bytesMax);
  } catch (error) {
    if (hasErrno(error, 'EFBIG')) throw corrupt(`${path} is longer than it should be.`, error);
    if (isNoFile(error)) throw corrupt(`${path} is no regular file.`, error);
    throw error;
  }
}

/**
 * Reads a manifest.
 * @param directory of the checkpoint, below the store; `''` where it is the store
 * @throws {SnapshardError} `ERR_SNAPSHARD_CORRUPT` and `ERR_SNAPSHARD_UNSUPPORTED_VERSION`, which do not say where
 */
export async function readManifest(store: Store, directory: string, slices: TimeSlices): Promise<Manifest> {
  const path = directory === '' ? manifestName : `${directory}/${manifestName}`;
  return parseManifest(await readWhole(store, path, manifestBytesMax), digest, slices);
}

/** All bytes of a file that the manifest lists, as it lists them. */
async function readListed(store: Store, { name, bytes, digest: expected }: ListedFile): Promise<Uint8Array> {
  const contents = await readWhole(store, name, Math.min(bytes, rankManifestBytesMax));
  if (contents.length !== bytes) throw corrupt(`${name} is ${contents.length} bytes long, not ${bytes}.`);
  if (digest(contents) !== expected) throw corrupt(`${name} does not match its digest in ${manifestName}.`);
  return contents;
}

/**
 * Reads the manifests of all ranks in order: one is read ahead while another is looked through.
 * @param store the checkpoint's directory
 * @throws {SnapshardError} `ERR_SNAPSHARD_CORRUPT`, which does not say where
 */
export async function* readRankManifests(
  store: Store,
  { ranks }: Manifest,
  slices: TimeSlices,
): AsyncGenerator<RankManifest> {
  let ahead: Promise<Uint8Array> | undefined;
  for (const [rank, { manifest }] of ranks.entries()) {
    const bytes = await (ahead ?? readListed(store, manifest));
    const next = ranks[rank + 1];
    ahead = next && readListed(store, next.manifest);
    // Where this one turns out to be damaged, nobody waits for the next.
    ahead?.catch(() => undefined);
    yield await parseRankManifest(bytes, digest, manifest.name, slices);
  }
}
