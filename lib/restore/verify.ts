import { SnapshardError } from '../errors.js';
import { TimeSlices } from '../layout/time_slices.js';
import { ChunkDigests } from './chunk_digests.js';
import { isGone } from './gone.js';
import type { OpenedCheckpoint } from './open.js';
import type { ResolvedCheckpointOptions } from './read_options.js';
import { ReadSource } from './read_source.js';
import type { Damage, VerifyReport } from './read_types.js';
import { verifyCover } from './verify_cover.js';
import { VerifyMeter } from './verify_meter.js';
import { ShardVerification } from './verify_shards.js';
import { smallFilesOf, verifySmallFiles } from './verify_small.js';

function inOrder(left: Damage, right: Damage): number {
  if (left.file !== right.file) return left.file < right.file ? -1 : 1;
  return left.offset - right.offset;
}

/** Damage to a checkpoint that somebody removed meanwhile is none. */
async function requireThere({ path, stored }: OpenedCheckpoint): Promise<void> {
  if (stored.digest === undefined || !(await isGone(path, stored.digest))) return;
  const message = `The checkpoint at ${path} was removed or replaced while it was verified.`;
  throw new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', message, { path });
}

/** For the progress of {@link verifyAll}: it reads each byte of all files once. */
export function meterOf(source: ReadSource): VerifyMeter {
  const shards = source.files.reduce((bytes, file) => bytes + file.bytes, 0);
  return new VerifyMeter(smallFilesOf(source).reduce((bytes, file) => bytes + file.bytes, shards));
}

/** Reads everything and compares it. */
export async function verifyAll(
  source: ReadSource,
  lists: ChunkDigests,
  meter: VerifyMeter,
  signal: AbortSignal | undefined,
): Promise<VerifyReport> {
  signal?.throwIfAborted();
  const small = await verifySmallFiles(source, meter, signal);
  const slices = new TimeSlices();
  const shards = new ShardVerification(source, lists, { meter, signal, slices });
  await shards.run();
  const damaged = [...small, ...shards.damaged, ...(await verifyCover(source, slices))].sort(inOrder);
  if (damaged.length > 0) await requireThere(source.opened);
  return {
    bytes: meter.doneBytes,
    chunks: shards.chunks,
    files: source.files.length + smallFilesOf(source).length,
    hasDigests: source.opened.stored.hasDigests,
    damaged,
  };
}

/** The first damage of a checkpoint that is only being looked at; `undefined` where there is none. */
export async function firstDamage(
  opened: OpenedCheckpoint,
  options: ResolvedCheckpointOptions,
): Promise<string | undefined> {
  const source = new ReadSource(opened, options);
  try {
    const { damaged } = await verifyAll(source, new ChunkDigests(source), meterOf(source), undefined);
    const [first] = damaged;
    if (first === undefined) return undefined;
    const more = damaged.length === 1 ? '' : ` (and ${damaged.length - 1} more)`;
    return `${first.file} is damaged at byte ${first.offset}: ${first.reason}${more}.`;
  } finally {
    await source.releaseMemory();
  }
}
