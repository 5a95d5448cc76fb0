import type { Stats } from 'node:fs';
import { lstat, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { isSideFileName } from '../layout/names.js';
import { fileError, readForeignFile } from './foreign_files.js';
import type { OpenedCheckpoint } from './open.js';
import type { StoredSideFile } from './stored.js';

/** What is larger is data in some other format, mostly. */
const sideFileBytesMax = 2 ** 26;
const looksAtOnce = 16;
const outOfReach = ['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EPERM'];

interface Reached {
  readonly path: string;
  readonly bytes: number;
}

/** Links may lead elsewhere in the folder; and, where the cache of Hugging Face keeps it, to the contents beside it. */
function isWithin(folder: string, target: string): boolean {
  if (target.startsWith(`${folder}${sep}`)) return true;
  const snapshots = dirname(folder);
  return basename(snapshots) === 'snapshots' && dirname(target) === join(dirname(snapshots), 'blobs');
}

function regular(path: string, information: Stats): Reached | undefined {
  return information.isFile() ? { path, bytes: information.size } : undefined;
}

/** A regular file of a folder, or one that a link in it leads to; `undefined` for anything else. */
async function reach(folder: string, name: string): Promise<Reached | undefined> {
  const path = join(folder, name);
  try {
    const information = await lstat(path);
    if (!information.isSymbolicLink()) return regular(path, information);
    const [home, target] = await Promise.all([realpath(folder), realpath(path)]);
    return isWithin(home, target) ? regular(target, await stat(target)) : undefined;
  } catch (error) {
    if (outOfReach.includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw fileError(error, 'look at', path);
  }
}

/**
 * The small files that stand beside the shards that others wrote, such as `config.json` and those of the tokenizer.
 * @param names of all that is in the folder
 */
export async function findSideFiles(folder: string, names: readonly string[]): Promise<Map<string, StoredSideFile>> {
  const candidates = names.filter(isSideFileName).sort();
  const found = new Map<string, StoredSideFile>();
  for (let first = 0; first < candidates.length; first += looksAtOnce) {
    const some = candidates.slice(first, first + looksAtOnce);
    const reached = await Promise.all(some.map((name) => reach(folder, name)));
    for (const [index, name] of some.entries()) {
      const bytes = reached[index]?.bytes;
      if (bytes !== undefined && bytes <= sideFileBytesMax) found.set(name, { name, bytes, digest: undefined });
    }
  }
  return found;
}

/** The bytes of a side file, whoever wrote the checkpoint; it fails where there are more than are listed. */
export async function readSideFile({ store, followLinks }: OpenedCheckpoint, file: StoredSideFile): Promise<Uint8Array> {
  const reached = followLinks ? await reach(store.root, file.name) : undefined;
  const linked = reached !== undefined && reached.path !== join(store.root, file.name);
  return linked ? readForeignFile(reached.path, file.bytes) : store.readFile(file.name, file.bytes);
}
