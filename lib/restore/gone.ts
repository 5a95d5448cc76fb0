import { manifestName } from '../layout/names.js';
import { parseManifestTail } from '../layout/manifest.js';
import { hasErrno } from '../store/native_error.js';
import { NativeStore } from '../store/native_store.js';

const tailBytes = 128;

async function digestAt(path: string): Promise<string | undefined> {
  const store = await NativeStore.open(path);
  try {
    return parseManifestTail(await store.readTail(manifestName, tailBytes))?.digest;
  } finally {
    await store.close();
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
    return (await digestAt(path)) !== digest;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ESTALE')) return true;
    throw error;
  }
}
