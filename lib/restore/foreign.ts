import { basename, dirname, join } from 'node:path';
import { SnapshardError } from '../errors.js';
import type { HeaderTensor } from '../layout/header_reader.js';
import { parseIndex } from '../layout/hf_index_reader.js';
import { TimeSlices } from '../layout/time_slices.js';
import { hasErrno } from '../store/native_error.js';
import { quote } from '../tensor/describe.js';
import { requireFamilies } from './foreign_families.js';
import { ForeignGathering } from './foreign_gather.js';
import { named, readForeignFile, readForeignShards } from './foreign_files.js';
import { checkSliceCount } from './slice_limit.js';
import type { StoredCheckpoint } from './stored.js';

/** More than an index of all the tensors that a checkpoint may have. */
const indexBytesMax = 2 ** 28;

function corrupt(path: string, message: string): SnapshardError {
  return new SnapshardError('ERR_SNAPSHARD_CORRUPT', `Cannot open ${path}: ${message}`, { path });
}

/** What an index, which says in which file each tensor is, leaves of a file. */
function selectBy(files: ReadonlyMap<string, string>, file: string): (tensor: HeaderTensor) => boolean {
  return ({ name }) => files.get(name) === file;
}

/**
 * Opens a file of safetensors.
 * @throws {SnapshardError} `ERR_SNAPSHARD_CORRUPT`, `ERR_SNAPSHARD_UNKNOWN_DTYPE`
 */
export async function readLoneFile(path: string): Promise<StoredCheckpoint> {
  const slices = new TimeSlices();
  const gathering = new ForeignGathering(dirname(path), slices);
  for await (const shard of readForeignShards(dirname(path), [basename(path)], slices)) await gathering.add(shard);
  return gathering.finish('safetensors');
}

/**
 * Opens a folder of safetensors files without an index: all of them together. PyTorch DCP leaves such a one.
 * @param names of the files
 * @throws {SnapshardError} `ERR_SNAPSHARD_CORRUPT`, `ERR_SNAPSHARD_UNKNOWN_DTYPE`; `ERR_SNAPSHARD_DUPLICATE_NAME` where
 *   two files have a tensor of the same name, and do not say that they are slices of it
 */
export async function readFolder(folder: string, names: readonly string[]): Promise<StoredCheckpoint> {
  requireFamilies(folder, names);
  const slices = new TimeSlices();
  const gathering = new ForeignGathering(folder, slices);
  for await (const shard of readForeignShards(folder, names, slices)) await gathering.add(shard);
  return gathering.finish(gathering.sharded ? 'dcp' : 'huggingface');
}

async function gatherIndexed(
  folder: string,
  files: ReadonlyMap<string, string>,
  slices: TimeSlices,
): Promise<ForeignGathering> {
  const gathering = new ForeignGathering(folder, slices);
  for await (const shard of readForeignShards(folder, [...new Set(files.values())].sort(), slices)) {
    await gathering.add(shard, selectBy(files, shard.name));
  }
  return gathering;
}

/** What an index promises, of what its files hold: each tensor, and all of it. */
function checkPromises(path: string, files: ReadonlyMap<string, string>, { tensors }: ForeignGathering): void {
  for (const [name, file] of files) {
    const slices = tensors.get(name)?.slices;
    const whole = slices?.every(({ origin }) => origin.every((at) => at === 0));
    if (whole === true) continue;
    const fault = slices === undefined ? 'where it is not' : 'which holds only a slice of it';
    throw corrupt(path, `its weight_map has tensor ${quote(name)} in ${quote(file)}, ${fault}.`);
  }
}

/**
 * Opens a Hugging Face folder. The index says which tensors there are, and in which file each is.
 * @param indexName of one index in the folder
 * @throws {SnapshardError} `ERR_SNAPSHARD_CORRUPT`, `ERR_SNAPSHARD_UNKNOWN_DTYPE`, `ERR_SNAPSHARD_NO_MEMORY`
 */
export async function readIndexed(folder: string, indexName: string): Promise<StoredCheckpoint> {
  const path = join(folder, indexName);
  const bytes = await readForeignFile(path, indexBytesMax);
  const slices = new TimeSlices();
  const files = await named(path, 'open', () => parseIndex(bytes, slices, checkSliceCount));
  try {
    const gathering = await gatherIndexed(folder, files, slices);
    checkPromises(path, files, gathering);
    return gathering.finish('huggingface');
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
    throw corrupt(path, `it names a file that is not there, and so the folder is incomplete: ${String(error)}`);
  }
}
