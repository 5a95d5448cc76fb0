import { binding } from '../binding.js';
import { SnapshardError } from '../errors.js';
import type { ListedFile } from '../layout/manifest.js';
import type { Manifest } from '../layout/manifest_reader.js';
import { manifestName } from '../layout/names.js';
import { parseRankManifest, type RankManifest } from '../layout/rank_manifest_reader.js';
import type { TimeSlices } from '../layout/time_slices.js';
import { readWhole } from '../store/manifest_file.js';
import type { Store } from '../store/store.js';

const rankManifestBytesMax = 2 ** 30;

const digest = (bytes: Uint8Array): string => binding.digest(bytes);

/** It does not say where. */
function corrupt(message: string): SnapshardError {
  return new SnapshardError('ERR_SNAPSHARD_CORRUPT', message);
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
