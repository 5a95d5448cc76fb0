import { SnapshardError } from '../errors.js';
import type { NativeStore } from '../store/native_store.js';
import type { StoredCheckpoint } from './stored.js';

/** A checkpoint of which all but the data has been read and checked. */
export interface OpenedCheckpoint {
  /** Absolute: of its directory, or of the lone file that it is. */
  readonly path: string;
  /** All files of `stored` lie below it. Whoever opened the checkpoint closes it. */
  readonly store: NativeStore;
  /** Whether its files may be symbolic links: in what others wrote. */
  readonly followLinks: boolean;
  readonly stored: StoredCheckpoint;
}

/**
 * Opens what is there: a checkpoint of our own, a safetensors file, or a folder of those.
 * @throws {SnapshardError} `ERR_SNAPSHARD_NOT_FOUND` where there is no checkpoint, or no longer;
 *   `ERR_SNAPSHARD_CORRUPT` for one that is damaged; `ERR_SNAPSHARD_UNSUPPORTED_VERSION`;
 *   `ERR_SNAPSHARD_UNKNOWN_DTYPE` and `ERR_SNAPSHARD_DUPLICATE_NAME` for what others wrote
 */
export function openStored(path: string): Promise<OpenedCheckpoint> {
  return Promise.reject(new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', `There is no checkpoint at ${path}.`));
}

/**
 * For when a file of a checkpoint of our own turns out to be missing: whether the checkpoint itself is gone, removed or
 * replaced, and so not damaged.
 * @param digest of its manifest
 */
export function isGone(path: string, digest: string): Promise<boolean> {
  return Promise.resolve(path === digest);
}
