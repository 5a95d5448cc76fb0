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
import type { Store, StoreFile } from './store.js';
import { givenUp } from './taken.js';

/** A save under way: a directory that is ours until it is published or given up. */
export interface PartialCheckpoint {
  readonly step: number;
  readonly nonce: string;
  /** Name of the directory below the root. */
  readonly path: string;
}

export interface Published {
  /** Name of the published directory below the root. */
  readonly name: string;
  /** Older generations of the step, oldest first, which nobody needs any more. */
  readonly superseded: readonly string[];
}

/** Replacements of one step that may be published by others while we try to publish ours. */
const attemptsMax = 16;

/** What stands beside the shards of a save, and how it is to be published. */
export interface HandIn {
  /** Side files, index, rank manifests, and the manifest last; paths relative to the step's directory. */
  readonly files: readonly StoreFile[];
  /** The bytes of the manifest, by which the save is recognised after a rename whose answer was lost. */
  readonly manifest: Uint8Array;
  readonly overwrite: boolean;
  /** Called when all is synced, before the rename: throws when the save is to be given up after all. */
  readonly check: () => void;
}

/**
 * Asks for the directory of a save. What is asked of the store next finds it there: a busy event loop need not come
 * round in between.
 * @param nonce of the save
 * @returns the directory, and when it is made; that rejects with `ERR_SNAPSHARD_STEP_EXISTS`, or what the system said
 */
export function preparePartial(
  store: Store,
  step: number,
  overwrite: boolean,
  nonce: string,
): { partial: PartialCheckpoint; made: Promise<void> } {
  const partial = { step, nonce, path: partialDirectoryName(step, nonce) };
  const free = listGenerations(store, step).then((older) => {
    requireFree(older, step, overwrite, store.root);
  });
  const directories = [
    store.makeDirectory(partial.path, true),
    store.makeDirectory(`${partial.path}/${ranksDirectory}`, false),
  ];
  const made = Promise.all([free, ...directories]).then(() => undefined);
  made.catch(() => undefined);
  return { partial, made };
}

/**
 * Publishes a partial checkpoint whose shards are synced: adds what stands beside them, renames, syncs the root.
 * @throws {SnapshardError} `ERR_SNAPSHARD_STEP_EXISTS`; `ERR_SNAPSHARD_GIVEN_UP` when another process took the
 *   directory away; `ERR_SNAPSHARD_DURABILITY_UNKNOWN` when it is published, or may be, and the system failed then
 */
export async function publish(store: Store, partial: PartialCheckpoint, handIn: HandIn): Promise<Published> {
  const { overwrite, manifest } = handIn;
  let [older] = await Promise.all([listGenerations(store, partial.step), complete(store, partial, handIn.files)]);
  handIn.check();
  for (let attempt = 1; ; attempt++) {
    requireFree(older, partial.step, overwrite, store.root);
    const name = stepDirectoryName(partial.step, (older.at(-1)?.generation ?? 0) + 1);
    try {
      await renameAndSync(store, partial, name, manifest);
      return { name, superseded: older.map((generation) => generation.name) };
    } catch (error) {
      const taken = hasErrno(error, 'EEXIST', 'ENOTEMPTY');
      if (!taken || !overwrite || attempt === attemptsMax) {
        throw taken ? stepExists(partial.step, name, store.root, error) : error;
      }
    }
    older = await listGenerations(store, partial.step);
  }
}

/** Adds what stands beside the shards, and makes all entries of the directory durable. */
async function complete(store: Store, partial: PartialCheckpoint, files: readonly StoreFile[]): Promise<void> {
  const written = store.writeFiles(files.map(({ path, contents }) => ({ path: `${partial.path}/${path}`, contents })));
  const synced = store.syncDirectories([`${partial.path}/${ranksDirectory}`, partial.path]);
  try {
    await Promise.all([written, synced]);
  } catch (error) {
    throw hasErrno(error, 'ENOENT', 'ESTALE') ? givenUp(partial, store.root, error) : error;
  }
}

/** The sync is asked for together with the rename; what it says counts only if the rename was done. */
async function renameAndSync(
  store: Store,
  partial: PartialCheckpoint,
  name: string,
  manifest: Uint8Array,
): Promise<void> {
  const renamed = renameKnowing(store, partial, name, manifest);
  const synced = syncRoot(store, name);
  synced.catch(() => undefined);
  await renamed;
  await synced;
}

/** Gives a save up, as far as the system lets us: what cannot be removed now is left to a later sweep. */
export async function giveUp(store: Store, partial: PartialCheckpoint): Promise<void> {
  const dead = deadDirectoryName(partial.nonce);
  try {
    // A Btrfs at its quota refuses to rename, and not to delete. Where it is gone, this lets go of it.
    await store.rename(partial.path, dead).catch(() => store.removeTree(partial.path));
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
    const names = await unlessUnknown(store.listRoot(), store, name, error);
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
    const message = `The rename to ${name} failed${saidBy(cause)}, and so did the look at what became of it: see whether it is there.`;
    throw unknownDurability(message, store, name, cause);
  }
}

/** Makes the final name durable. */
export async function syncRoot(store: Store, name: string): Promise<void> {
  try {
    await store.syncDirectories(['']);
  } catch (cause) {
    const message = `${name} is published, but the sync of ${store.root} failed${saidBy(cause)}: a power loss may take it away.`;
    throw unknownDurability(message, store, name, cause);
  }
}

/** What the system said, for a message. */
function saidBy(cause: unknown): string {
  return cause instanceof SnapshardError && cause.errno !== undefined ? ` (${cause.errno} from ${cause.syscall})` : '';
}

function unknownDurability(message: string, store: Store, name: string, cause: unknown): SnapshardError {
  return new SnapshardError('ERR_SNAPSHARD_DURABILITY_UNKNOWN', message, {
    cause,
    path: `${store.root}/${name}`,
    ...(cause instanceof SnapshardError && { errno: cause.errno, syscall: cause.syscall }),
  });
}

function requireFree(published: readonly Generation[], step: number, overwrite: boolean, root: string): void {
  const newest = published.at(-1);
  if (newest === undefined) return;
  if (!overwrite) throw stepExists(step, newest.name, root);
  // No writer counts so far: somebody made the name, and no reader would take the next one for a step.
  if (newest.generation < Number.MAX_SAFE_INTEGER) return;
  const message = `Step ${step} cannot be replaced: ${newest.name} is the last that a name can tell. Remove it.`;
  throw new SnapshardError('ERR_SNAPSHARD_STEP_EXISTS', message, { path: `${root}/${newest.name}` });
}

function stepExists(step: number, name: string, root: string, cause?: unknown): SnapshardError {
  const message = `Step ${step} is published already (${name}): save another step, or replace it with overwrite: true.`;
  return new SnapshardError('ERR_SNAPSHARD_STEP_EXISTS', message, { cause, path: `${root}/${name}` });
}
