import { toSnapshardError } from '../store/native_error.js';
import type { ReadSource } from './read_source.js';

/** What native said of a read of this checkpoint. */
export function readError(error: unknown, source: ReadSource): Error {
  const remedy = 'No byte of this read is handed out. verify() lists all that is damaged.';
  return toSnapshardError(error, { action: 'read a checkpoint', root: source.opened.store.root, purpose: 'use', remedy });
}
