import { binding } from '../binding.js';
import { SnapshardError } from '../errors.js';
import { type Manifest, parseManifest } from '../layout/manifest_reader.js';
import { manifestName } from '../layout/names.js';
import type { TimeSlices } from '../layout/time_slices.js';
import { hasErrno } from './native_error.js';
import type { Store } from './store.js';

/** More than a manifest of 100,000 ranks and all the metadata that a save takes. */
export const manifestBytesMax = 2 ** 27;

/** It does not say where. */
function corrupt(message: string, cause: unknown): SnapshardError {
  return new SnapshardError('ERR_SNAPSHARD_CORRUPT', message, { cause });
}

/** Native says EINVAL of fstat where something is no regular file; of a read it is the device's own. */
function isNoFile(error: unknown): boolean {
  if (hasErrno(error, 'EISDIR', 'ELOOP')) return true;
  return hasErrno(error, 'EINVAL') && (error as SnapshardError).syscall === 'fstat';
}

/** Reads a file of a checkpoint; what can be no such file makes the checkpoint a damaged one. */
export async function readWhole(store: Store, path: string, bytesMax: number): Promise<Uint8Array> {
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
  return parseManifest(await readWhole(store, path, manifestBytesMax), (bytes) => binding.digest(bytes), slices);
}
