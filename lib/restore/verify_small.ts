import { manifestName } from '../layout/names.js';
import { TimeSlices } from '../layout/time_slices.js';
import { SnapshardError, type SnapshardErrorCode } from '../errors.js';
import { readManifest } from '../store/manifest_file.js';
import { hasErrno } from '../store/native_error.js';
import { readSideFile } from './foreign_side_files.js';
import type { ReadSource } from './read_source.js';
import type { Damage } from './read_types.js';
import type { StoredSideFile } from './stored.js';
import { isDamage, reasonOf } from './verify_hashes.js';
import type { VerifyMeter } from './verify_meter.js';

/** What is wrong with a manifest that can be read. */
const damagedManifest: ReadonlySet<SnapshardErrorCode> = new Set<SnapshardErrorCode>([
  'ERR_SNAPSHARD_CORRUPT',
  'ERR_SNAPSHARD_UNSUPPORTED_VERSION',
]);

/** The length and digest that a file has now; only ours have a digest to compare with. */
async function look({ opened }: ReadSource, file: StoredSideFile): Promise<Pick<StoredSideFile, 'bytes' | 'digest'>> {
  if (file.digest !== undefined) return opened.store.digestFile(file.name, file.bytes);
  const { length } = await readSideFile(opened, file);
  return { bytes: length, digest: undefined };
}

async function faultOf(source: ReadSource, file: StoredSideFile): Promise<string | undefined> {
  const { bytes, digest } = file;
  try {
    const found = await look(source, file);
    if (found.bytes !== bytes) return `the file is ${found.bytes} bytes long, not ${bytes}`;
    return found.digest === digest ? undefined : 'it is not what was saved';
  } catch (error) {
    if (hasErrno(error, 'EFBIG')) return `the file is longer than ${bytes} bytes`;
    if (!isDamage(error)) throw error;
    return reasonOf(error);
  }
}

async function manifestFault({ opened }: ReadSource): Promise<string | undefined> {
  try {
    const { digest } = await readManifest(opened.store, '', new TimeSlices());
    return digest === opened.stored.digest ? undefined : 'it is another one than when the checkpoint was opened';
  } catch (error) {
    if (isDamage(error)) return reasonOf(error);
    if (error instanceof SnapshardError && damagedManifest.has(error.code)) return error.message;
    throw error;
  }
}

/** The files of a checkpoint that are no shards. */
export function smallFilesOf({ opened }: ReadSource): StoredSideFile[] {
  const { sideFiles, listedFiles } = opened.stored;
  return [...sideFiles.values(), ...listedFiles.values()];
}

/** Reads each of them whole, and compares it. */
export async function verifySmallFiles(
  source: ReadSource,
  meter: VerifyMeter,
  signal: AbortSignal | undefined,
): Promise<Damage[]> {
  const damaged: Damage[] = [];
  for (const file of smallFilesOf(source)) {
    signal?.throwIfAborted();
    const reason = await meter.count(file.bytes, faultOf(source, file));
    if (reason !== undefined) {
      damaged.push({ file: file.name, offset: 0, bytes: file.bytes, tensor: undefined, reason });
    }
  }
  const reason = source.opened.stored.digest === undefined ? undefined : await manifestFault(source);
  if (reason !== undefined) damaged.push({ file: manifestName, offset: 0, bytes: 0, tensor: undefined, reason });
  return damaged;
}
