import { createHash } from 'node:crypto';
import type { NativeBinding } from '../../lib/binding.js';
import { RankRun } from './rank_run.js';
import { nameContent } from './tree.js';

/** What this stands for only where a save of several ranks goes through it. */
type Unused =
  | 'openStoreBelow'
  | 'countBytes'
  | 'digestFile'
  | 'createFile'
  | 'capabilities'
  | 'allocateLease'
  | 'disposeLease'
  | 'cudaMemoryAt'
  | 'cudaMemoryFromIpc'
  | 'allocateCuda'
  | 'releaseCuda'
  | 'startRead'
  | 'abortRead'
  | 'readProgress'
  | 'startFileProbe'
  | 'startCopyProbe'
  | 'abortProbe';
type Used = Omit<NativeBinding, Unused>;

/** Stands for lib/binding.ts: asks the rank that is running, whose operations wait until the model does them. */
export const binding: Used = {
  napiVersion: 9,
  digest: (bytes) => createHash('md5').update(bytes).digest('hex'),
  openStore: () => Promise.resolve(1),
  closeStore: () => Promise.resolve(),
  makeDirectory: (_store, path, hold) => {
    const run = RankRun.current;
    return run.ask({ call: 'makeDirectory', path, holder: hold ? run.holder : undefined });
  },
  writeFiles: (_store, paths, contents) => {
    const files = paths.map((path, index) => ({ path, content: nameContent(contents[index]!) }));
    return RankRun.current.ask({ call: 'writeFiles', files }, contents);
  },
  readFile: (_store, path, maxBytes) => RankRun.current.ask({ call: 'readFile', path, maxBytes }),
  readTail: (_store, path, maxBytes) => RankRun.current.ask({ call: 'readTail', path, maxBytes }),
  list: (_store, path) => RankRun.current.ask({ call: 'list', path }),
  rename: (_store, from, to) => RankRun.current.ask({ call: 'rename', from, to }),
  syncDirectories: (_store, paths) => RankRun.current.ask({ call: 'syncDirectories', paths }),
  removeTree: (_store, path) => RankRun.current.ask({ call: 'removeTree', path }),
  reclaim: (_store, from, to) => RankRun.current.ask({ call: 'reclaim', from, to }),
  createStaging: () => Promise.resolve({ handle: 1, engine: 'io_uring', engineReason: '' }),
  closeStaging: () => Promise.resolve(),
  startTransfer: (_staging, request) => RankRun.current.startTransfer(request),
  openFiles: (handle, _store, paths) => {
    const transfer = RankRun.current.transfer(handle);
    transfer.open(RankRun.current.ask({ call: 'openFiles', paths, token: transfer.token }));
  },
  abortTransfer: (handle) => {
    RankRun.current.transfer(handle).abort();
  },
  transferProgress: () => undefined,
};
