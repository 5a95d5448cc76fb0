import { resolve } from 'node:path';
import { binding, type StoreHandle } from '../binding.js';
import { rootPrefixes } from '../layout/names.js';
import { toSnapshardError, type ErrorContext, type Purpose } from './native_error.js';
import type { Store, StoreFile } from './store.js';

/** A directory of a file system, through the native core. */
export class NativeStore implements Store {
  readonly root: string;
  /** What native calls that write below this root ask for. */
  readonly handle: StoreHandle;
  readonly #purpose: Purpose;

  private constructor(root: string, handle: StoreHandle, purpose: Purpose) {
    this.root = root;
    this.handle = handle;
    this.#purpose = purpose;
  }

  /**
   * Opens a directory, which must exist.
   * @param purpose of all that is done with it, for messages
   * @param what it is to the user, for messages
   */
  static async open(path: string, purpose: Purpose = 'save', what = 'the root'): Promise<NativeStore> {
    const root = resolve(path);
    const handle = await mapped(() => binding.openStore(root), { action: `open ${what}`, root, purpose });
    return new NativeStore(root, handle, purpose);
  }

  /** Opens a directory below this one, which no link may stand for; either may be closed first. */
  async openBelow(path: string): Promise<NativeStore> {
    const handle = await this.#run('open a directory', () => binding.openStoreBelow(this.handle, path));
    return new NativeStore(resolve(this.root, path), handle, this.#purpose);
  }

  /** Bytes of all files in a directory and below. */
  countBytes(path: string): Promise<number> {
    return this.#run('look into a directory', () => binding.countBytes(this.handle, path));
  }

  /** Creates a file, which must not exist. Resolves to its descriptor, for the caller to close. */
  createFile(path: string): Promise<number> {
    return this.#run('create a file', () => binding.createFile(this.handle, path));
  }

  makeDirectory(path: string, hold: boolean): Promise<void> {
    return this.#run('create a directory', () => binding.makeDirectory(this.handle, path, hold));
  }

  writeFiles(files: readonly StoreFile[]): Promise<void> {
    const paths = files.map((file) => file.path);
    const contents = files.map((file) => file.contents);
    return this.#run('write a file', () => binding.writeFiles(this.handle, paths, contents));
  }

  readFile(path: string, maxBytes: number): Promise<Uint8Array> {
    return this.#run('read a file', () => binding.readFile(this.handle, path, maxBytes));
  }

  readTail(path: string, maxBytes: number): Promise<Uint8Array> {
    return this.#run('read a file', () => binding.readTail(this.handle, path, maxBytes));
  }

  /** The digest of a file of at most `maxBytes`, and its length. */
  digestFile(path: string, maxBytes: number): Promise<{ digest: string; bytes: number }> {
    return this.#run('read a file', () => binding.digestFile(this.handle, path, maxBytes));
  }

  list(path: string): Promise<string[]> {
    return this.#run('list a directory', () => binding.list(this.handle, path, []));
  }

  listRoot(): Promise<string[]> {
    return this.#run('list a directory', () => binding.list(this.handle, '', [...rootPrefixes]));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#run(`rename ${from} to ${to}`, () => binding.rename(this.handle, from, to));
  }

  syncDirectories(paths: readonly string[]): Promise<void> {
    return this.#run('sync a directory', () => binding.syncDirectories(this.handle, [...paths]));
  }

  removeTree(path: string): Promise<void> {
    return this.#run('remove a directory', () => binding.removeTree(this.handle, path));
  }

  reclaim(from: string, to: string, idleSeconds: number): Promise<boolean> {
    return this.#run('reclaim a directory', () => binding.reclaim(this.handle, from, to, idleSeconds));
  }

  close(): Promise<void> {
    return this.#run('close a directory', () => binding.closeStore(this.handle));
  }

  #run<T>(action: string, operation: () => Promise<T>): Promise<T> {
    return mapped(operation, { action, root: this.root, purpose: this.#purpose });
  }
}

async function mapped<T>(operation: () => Promise<T>, context: ErrorContext): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    throw toSnapshardError(error, context);
  }
}
