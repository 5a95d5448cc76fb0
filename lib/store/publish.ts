import { SnapshardError } from '../errors.js';
import {
  deadDirectoryName,
  manifestName,
  partialDirectoryName,
  ranksDirectory,
  stepDirectoryName,
} from '../layout/names.js';
import { listGenerations, type Generation } from './generations.js';
import { hasErrno } from './native_error.js';
import { newNonce } from './nonce.js';
import type { Store } from './store.js';

/** A save under way: a directory that is ours until it is published or given up. */
export interface PartialCheckpoint {
  readonly step: number;
  readonly nonce: string;
  /** Name of the directory below the root. */
  readonly path: string;
}

export interface Publication {
  /** Name of the published directory below the root. */
  readonly name: string;
  /** Older generations of the step, oldest first, which nobody needs any more. */
  readonly superseded: readonly string[];
}

/** Replacements of one step that may be published by others while we try to publish ours. */
const attemptsMax = 16;

/**
 * Creates the directory of a save.
 * @throws {SnapshardError} `ERR_SNAPSHARD_STEP_EXISTS`, before anything is written
 */
export async function preparePartial(store: Store, step: number, overwrite: boolean): Promise<PartialCheckpoint> {
  requireFree(await listGenerations(store, step), step, overwrite, store.root);
  const nonce = newNonce();
  const partial = { step, nonce, path: partialDirectoryName(step, nonce) };
  await store.makeDirectory(partial.path, true);
  try {
    await store.makeDirectory(`${partial.path}/${ranksDirectory}`, false);
  } catch (error) {
    await giveUp(store, partial);
    throw error;
  }
  return partial;
}

/**
 * Publishes a partial checkpoint whose files and directories are synced, then syncs the root.
 * @param manifest the bytes of its manifest, by which it is recognised after a rename whose answer was lost
 * @throws {SnapshardError} `ERR_SNAPSHARD_STEP_EXISTS`; `ERR_SNAPSHARD_GIVEN_UP` when another process took the
 *   directory away; `ERR_SNAPSHARD_DURABILITY_UNKNOWN` when it is published, or may be, and the system failed then
 */
export async function publish(
  store: Store,
  partial: PartialCheckpoint,
  manifest: Uint8Array,
  overwrite: boolean,
): Promise<Publication> {
  for (let attempt = 1; ; attempt++) {
    const older = await listGenerations(store, partial.step);
    requireFree(older, partial.step, overwrite, store.root);
    const name = stepDirectoryName(partial.step, (older.at(-1)?.generation ?? 0) + 1);
    try {
      await renameKnowing(store, partial, name, manifest);
    } catch (error) {
      const taken = hasErrno(error, 'EEXIST', 'ENOTEMPTY');
      if (taken && overwrite && attempt < attemptsMax) continue;
      throw taken ? stepExists(partial.step, name, store.root, error) : error;
    }
    await syncRoot(store, name);
    return { name, superseded: older.map((generation) => generation.name) };
  }
}

/** Gives a save up, as far as the system lets us: what cannot be removed now is left to a later sweep. */
export async function giveUp(store: Store, partial: PartialCheckpoint): Promise<void> {
  const dead = deadDirectoryName(partial.nonce);
  try {
    await store.rename(partial.path, dead);
    await store.removeTree(dead);
  } catch {
    // The failure that made us give up is the one to report.
  }
}

/**
 * Renames, and on an error looks what became of it: over NFS a rename that was done may be answered with an error.
 */
async function renameKnowing(
  store: Store,
  partial: PartialCheckpoint,
  name: string,
  manifest: Uint8Array,
): Promise<void> {
  try {
    await store.rename(partial.path, name);
  } catch (error) {
    const names = await unlessUnknown(store.list(''), store, name, error);
    if (names.includes(partial.path)) throw error;
    const ours = names.includes(name) && (await unlessUnknown(holds(store, name, manifest), store, name, error));
    if (!ours) throw givenUp(partial, store.root, error);
  }
}

async function holds(store: Store, name: string, manifest: Uint8Array): Promise<boolean> {
  try {
    const found = await store.readFile(`${name}/${manifestName}`, manifest.byteLength);
    return Buffer.compare(found, manifest) === 0;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'EFBIG')) return false;
    throw error;
  }
}

async function unlessUnknown<T>(look: Promise<T>, store: Store, name: string, cause: unknown): Promise<T> {
  try {
    return await look;
  } catch {
    const message = `The rename to ${name} failed, and so did the look at what became of it: see whether it is there.`;
    throw new SnapshardError('ERR_SNAPSHARD_DURABILITY_UNKNOWN', message, { cause, path: `${store.root}/${name}` });
  }
}

async function syncRoot(store: Store, name: string): Promise<void> {
  try {
    await store.syncDirectories(['']);
  } catch (cause) {
    const message = `${name} is published, but the sync of ${store.root} failed: a power loss may take it away.`;
    throw new SnapshardError('ERR_SNAPSHARD_DURABILITY_UNKNOWN', message, {
      cause,
      path: `${store.root}/${name}`,
      ...(cause instanceof SnapshardError && { errno: cause.errno, syscall: cause.syscall }),
    });
  }
}

function requireFree(published: readonly Generation[], step: number, overwrite: boolean, root: string): void {
  const newest = published.at(-1);
  if (newest !== undefined && !overwrite) throw stepExists(step, newest.name, root);
}

function stepExists(step: number, name: string, root: string, cause?: unknown): SnapshardError {
  const message = `Step ${step} is published already (${name}): save another step, or replace it with overwrite: true.`;
  return new SnapshardError('ERR_SNAPSHARD_STEP_EXISTS', message, { cause, path: `${root}/${name}` });
}

function givenUp(partial: PartialCheckpoint, root: string, cause: unknown): SnapshardError {
  const message = `Another process took ${partial.path} away: is a second writer at work on step ${partial.step}?`;
  return new SnapshardError('ERR_SNAPSHARD_GIVEN_UP', message, { cause, path: `${root}/${partial.path}` });
}
