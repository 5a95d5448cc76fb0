import { stat } from 'node:fs/promises';
import { SnapshardError } from '../errors.js';
import { type Checkpoint, latestCheckpoint, openCheckpoint } from '../restore/checkpoint.js';
import { listCheckpoints } from '../restore/list.js';
import type { Terminal } from './terminal.js';

const MiB = 1024 * 1024;
/** `diff` opens two; reads are as fast with this as with more. */
export const readOptions = { stagingBytes: 128 * MiB };

/** Opens a checkpoint, anybody's, or the newest of a root; then it notes what it passed over. */
export async function open(path: string, terminal: Terminal): Promise<Checkpoint> {
  if (!(await isRoot(path))) return openCheckpoint(path, readOptions);
  const checkpoint = await openLatest(path);
  for (const { path: newer, reason } of checkpoint.passedOver) terminal.note(`passed over ${newer}: ${reason}`);
  return checkpoint;
}

async function isRoot(path: string): Promise<boolean> {
  const status = await stat(path).catch(() => undefined);
  return status !== undefined && status.isDirectory() && (await listCheckpoints(path)).length > 0;
}

/** Where there are checkpoints and none is whole, the data is at fault, not the call. */
async function openLatest(root: string): Promise<Checkpoint> {
  try {
    return await latestCheckpoint(root, readOptions);
  } catch (error) {
    if (!(error instanceof SnapshardError) || error.code !== 'ERR_SNAPSHARD_NOT_FOUND') throw error;
    throw new SnapshardError('ERR_SNAPSHARD_CORRUPT', error.message, { cause: error, path: root });
  }
}
