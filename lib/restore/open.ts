import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import {
  indexName,
  isDeadDirectory,
  manifestName,
  parsePartialDirectory,
  parseRankManifestName,
  ranksDirectory,
} from '../layout/names.js';
import { hasErrno } from '../store/native_error.js';
import { NativeStore } from '../store/native_store.js';
import { invalidArgument } from '../tensor/describe.js';
import { defaultGroup } from '../tensor/tensor.js';
import { readFolder, readIndexed, readLoneFile } from './foreign.js';
import { fileError } from './foreign_files.js';
import { findSideFiles } from './foreign_side_files.js';
import { nothingHere, severalIndexes, unpublished } from './nothing_here.js';
import { readOwn } from './own.js';
import type { StoredCheckpoint } from './stored.js';

const shardSuffix = '.safetensors';
const indexSuffix = indexName('');
const tailBytes = 64;
/** Looks, after which what a server takes back all the time is an error. */
const staleMax = 3;
const sealPattern = /,"digest":"[0-9a-f]{32}"}\n$/;

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

async function isFile(path: string): Promise<boolean> {
  try {
    return !(await stat(path)).isDirectory();
  } catch (error) {
    throw fileError(error, 'open the checkpoint', path);
  }
}

async function hasRanks(store: NativeStore, names: readonly string[]): Promise<boolean> {
  if (!names.includes(ranksDirectory)) return false;
  const ranks = await store.list(ranksDirectory).catch((error: unknown): string[] => {
    if (hasErrno(error, 'ENOTDIR', 'ELOOP', 'ENOENT')) return [];
    throw error;
  });
  return ranks.some((name) => parseRankManifestName(name) !== undefined);
}

/** Others, too, may keep a `manifest.json`; without rank manifests, one that is not sealed as ours is theirs. */
async function isOwn(store: NativeStore, names: readonly string[]): Promise<boolean> {
  const ranks = await hasRanks(store, names);
  if (!names.includes(manifestName)) {
    if (ranks) throw unpublished(store.root);
    return false;
  }
  if (ranks) return true;
  const tail = await store.readTail(manifestName, tailBytes);
  return sealPattern.test(new TextDecoder('latin1').decode(tail));
}

async function readForeign(path: string, names: readonly string[]): Promise<StoredCheckpoint> {
  return { ...(await readShards(path, names)), sideFiles: await findSideFiles(path, names) };
}

function readShards(path: string, names: readonly string[]): Promise<StoredCheckpoint> {
  const indexes = names.filter((name) => name.endsWith(indexSuffix)).sort();
  const usual = indexName(defaultGroup);
  const [index] = indexes.includes(usual) ? [usual] : indexes;
  if (index !== undefined && index !== usual && indexes.length > 1) throw severalIndexes(path, indexes);
  if (index !== undefined) return readIndexed(path, index);
  const shards = names.filter((name) => name.endsWith(shardSuffix)).sort();
  if (shards.length === 0) throw nothingHere(path, names);
  return readFolder(path, shards);
}

async function readDirectory(store: NativeStore): Promise<Pick<OpenedCheckpoint, 'followLinks' | 'stored'>> {
  const name = basename(store.root);
  if (isDeadDirectory(name) || parsePartialDirectory(name) !== undefined) throw unpublished(store.root);
  const names = await store.list('');
  if (await isOwn(store, names)) return { followLinks: false, stored: await readOwn(store) };
  return { followLinks: true, stored: await readForeign(store.root, names) };
}

/** An index stands for its folder, any other file for itself. */
async function readFile(store: NativeStore, name: string): Promise<StoredCheckpoint> {
  const folder = store.root;
  if (!name.endsWith(indexSuffix)) return readLoneFile(join(folder, name));
  return { ...(await readIndexed(folder, name)), sideFiles: await findSideFiles(folder, await store.list('')) };
}

/** Reads from a directory that was opened for it, and closes it again where that fails. */
async function readFrom(
  opening: Promise<NativeStore>,
  read: (store: NativeStore) => Promise<Omit<OpenedCheckpoint, 'store'>>,
): Promise<OpenedCheckpoint> {
  const store = await opening;
  try {
    return { store, ...(await read(store)) };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/**
 * Opens a checkpoint of our own below a root: a link that somebody put in its place leads nowhere.
 * @throws {SnapshardError} as {@link readOwn}
 */
export function openOwn(root: NativeStore, name: string): Promise<OpenedCheckpoint> {
  return readFrom(root.openBelow(name), async (store) => ({ path: store.root, followLinks: false, stored: await readOwn(store) }));
}

/** A server may take a handle back because something was removed, or another has its place: the next look tells. */
async function openDirectory(path: string, staleLeft: number): Promise<OpenedCheckpoint> {
  try {
    const opening = NativeStore.open(path, 'use', 'the checkpoint');
    return await readFrom(opening, async (store) => ({ path, ...(await readDirectory(store)) }));
  } catch (error) {
    if (staleLeft === 0 || !hasErrno(error, 'ESTALE')) throw error;
    return openDirectory(path, staleLeft - 1);
  }
}

/**
 * Opens what is there: a checkpoint of our own; a safetensors file; a folder of those, with an index (also by the path
 * of that index) or without, from Hugging Face or PyTorch DCP.
 * @throws {SnapshardError} `ERR_SNAPSHARD_NOT_FOUND` where there is no checkpoint, or no longer;
 *   `ERR_SNAPSHARD_CORRUPT` for one that is damaged; `ERR_SNAPSHARD_UNSUPPORTED_VERSION`;
 *   `ERR_SNAPSHARD_UNKNOWN_DTYPE` and `ERR_SNAPSHARD_DUPLICATE_NAME` for what others wrote; `ERR_SNAPSHARD_NO_MEMORY`
 *   for more tensors than this process can list
 */
export async function openStored(path: string): Promise<OpenedCheckpoint> {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw invalidArgument('`path`', 'the path of a checkpoint, a folder or a file,', path);
  }
  const absolute = resolve(path);
  const lone = await isFile(absolute);
  if (!lone) return openDirectory(absolute, staleMax);
  const name = basename(absolute);
  return readFrom(NativeStore.open(dirname(absolute), 'use', 'the folder of the checkpoint'), async (store) => {
    const stored = await readFile(store, name);
    return { path: absolute, followLinks: true, stored };
  });
}
