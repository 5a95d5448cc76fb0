import { basename, dirname } from 'node:path';
import { binding } from '../binding.js';
import { parseManifestTail } from '../layout/manifest.js';
import { manifestName } from '../layout/names.js';
import { checkSeal } from '../layout/seal.js';
import { manifestBytesMax } from '../store/manifest_file.js';
import { hasErrno } from '../store/native_error.js';
import { NativeStore } from '../store/native_store.js';

const tailBytes = 128;

/** Whether there is an intact manifest other than this one: its tail alone may be what is damaged. */
async function isAnother(store: NativeStore, digest: string): Promise<boolean> {
  if (parseManifestTail(await store.readTail(manifestName, tailBytes))?.digest === digest) return false;
  const manifest = await store.readFile(manifestName, manifestBytesMax);
  try {
    return checkSeal(manifest, (bytes) => binding.digest(bytes)) !== digest;
  } catch {
    return false;
  }
}

/**
 * For when a file of a checkpoint of our own turns out to be missing: whether the checkpoint itself is gone, removed or
 * replaced, and so not damaged.
 * @param path of its directory
 * @param digest of its manifest
 */
export async function isGone(path: string, digest: string): Promise<boolean> {
  try {
    const store = await NativeStore.open(path, 'use', 'the checkpoint');
    try {
      return await isAnother(store, digest);
    } finally {
      await store.close();
    }
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ESTALE')) return true;
    if (hasErrno(error, 'EFBIG')) return false;
    throw error;
  }
}

/** Whether there is a file of that path now: who holds one that is stale may open this one. */
export async function isThere(path: string): Promise<boolean> {
  const store = await NativeStore.open(dirname(path), 'use', 'a directory');
  try {
    return (await store.list('')).includes(basename(path));
  } finally {
    await store.close();
  }
}
