import { lstat, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { XXHash128 } from 'xxhash-addon';
import type { NativeBinding, StoreHandle } from '../../lib/binding.js';
import { beginsWith, nativeError } from './fake_binding.js';

type StoreCalls = Pick<NativeBinding, 'digest' | 'openStore' | 'openStoreBelow' | 'closeStore' | 'readFile' | 'readTail' | 'list'>;

/** What a test may change while the calls go on. */
export const disk = {
  /** Called before each call, with its name and absolute path; what it throws the call rejects with. */
  before: (_call: string, _path: string): unknown => undefined,
  /** Directories that are open: none, once every store is closed. */
  open: new Map<number, string>(),
};

let handles = 0;

function asNative(error: unknown, path = ''): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return code === undefined || syscall === undefined ? error : nativeError('system', code, syscall, path);
}

async function call<T>(
  name: string,
  store: StoreHandle,
  path: string,
  effect: (path: string) => Promise<T>,
): Promise<T> {
  const directory = disk.open.get(store);
  if (directory === undefined) throw nativeError('closed');
  try {
    await disk.before(name, join(directory, path));
    return await effect(join(directory, path));
  } catch (error) {
    throw asNative(error, path);
  }
}

async function readPlain(path: string): Promise<Buffer> {
  const information = await lstat(path);
  if (information.isSymbolicLink()) throw nativeError('system', 'ELOOP', 'openat2', path);
  if (!information.isFile()) throw nativeError('system', 'EINVAL', 'fstat', path);
  return readFile(path);
}

async function openStore(path: string): Promise<StoreHandle> {
  try {
    const directory = await open(path, 'r');
    const isDirectory = (await directory.stat()).isDirectory();
    await directory.close();
    if (!isDirectory) throw nativeError('system', 'ENOTDIR', 'open');
  } catch (error) {
    throw asNative(error);
  }
  handles += 1;
  disk.open.set(handles, path);
  return handles;
}

/** The calls of the add-on that read directories, by way of Node: for tests that need no more. */
export const binding: StoreCalls = {
  digest: (bytes) => XXHash128.hash(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).toString('hex'),

  openStore,

  openStoreBelow: (store, path) =>
    call('openStoreBelow', store, path, async (absolute) => {
      if ((await lstat(absolute)).isSymbolicLink()) throw nativeError('system', 'ELOOP', 'openat2', path);
      return openStore(absolute);
    }),

  closeStore(store) {
    disk.open.delete(store);
    return Promise.resolve();
  },

  readFile: (store, path, maxBytes) =>
    call('readFile', store, path, async (absolute) => {
      const bytes = await readPlain(absolute);
      if (bytes.length > maxBytes) throw nativeError('system', 'EFBIG', 'read', path);
      return bytes;
    }),

  readTail: (store, path, maxBytes) =>
    call('readTail', store, path, async (absolute) => (await readPlain(absolute)).subarray(-maxBytes)),

  list: (store, path, prefixes) =>
    call('list', store, path, async (absolute) => {
      const names = await readdir(absolute);
      return names.filter((name) => beginsWith(name, prefixes));
    }),
};
