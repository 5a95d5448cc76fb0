import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { SnapshardError } from '../errors.js';
import { isGone } from './gone.js';
import { fileError } from './foreign_files.js';
import type { OpenedCheckpoint } from './open.js';

/** Questions to the file system at once. */
const looksAtOnce = 16;

interface ExpectedFile {
  readonly name: string;
  readonly bytes: number;
}

/** Bytes of a regular file; `undefined` where there is none. */
async function bytesAt(path: string): Promise<number | undefined> {
  try {
    const information = await lstat(path);
    return information.isFile() ? information.size : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw fileError(error, 'look at', path);
  }
}

/** The first file that is not as it should be, and why. */
async function findFault(directory: string, files: readonly ExpectedFile[]): Promise<string | undefined> {
  for (let first = 0; first < files.length; first += looksAtOnce) {
    const some = files.slice(first, first + looksAtOnce);
    const found = await Promise.all(some.map(({ name }) => bytesAt(join(directory, name))));
    for (const [index, { name, bytes }] of some.entries()) {
      if (found[index] === undefined) return `${name} is missing.`;
      if (found[index] !== bytes) return `${name} is ${found[index]} bytes long, not ${bytes}.`;
    }
  }
  return undefined;
}

/**
 * Whether every file of a checkpoint of our own is there at its exact length. No data is read.
 * @returns what is wrong; `undefined` where all is well
 * @throws {SnapshardError} `ERR_SNAPSHARD_NOT_FOUND` where it was removed or replaced meanwhile
 */
export async function findMissing({ store, stored }: OpenedCheckpoint): Promise<string | undefined> {
  const shards = stored.files.map(({ path, bytes }): ExpectedFile => ({ name: path, bytes }));
  const fault = await findFault(store.root, [...shards, ...stored.sideFiles.values(), ...stored.listedFiles.values()]);
  if (fault === undefined || !(await isGone(store.root, stored.digest ?? ''))) return fault;
  const message = `${store.root} was removed or replaced while it was looked at.`;
  throw new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', message, { path: store.root });
}
