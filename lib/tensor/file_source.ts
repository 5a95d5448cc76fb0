import { resolve } from 'node:path';
import { SnapshardError } from '../errors.js';

/** A range of a file whose bytes become a tensor's, such as shared memory of another process. */
export interface FileSourceOptions {
  /** Path of the file; a relative one is resolved at the call. Either this or `fd`. */
  path?: string | undefined;
  /** An open file descriptor; it may be closed once `save` has returned. */
  fd?: number | undefined;
  /** Where the range begins, in bytes. Default 0. */
  offset?: number | undefined;
  /** Length of the range. */
  bytes: number;
}

/** Made by {@link fileSource}. */
export class FileSource {
  /** @param file an absolute path, or a file descriptor */
  constructor(
    readonly file: string | number,
    readonly offset: number,
    readonly bytes: number,
  ) {}
}

/**
 * Names a range of a file as the data of a tensor. The file is read while the save is staged; one that turns out
 * shorter fails the save.
 * @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT`
 */
export function fileSource(options: FileSourceOptions): FileSource {
  throw new SnapshardError('ERR_SNAPSHARD_INVALID_ARGUMENT', resolve(options.path ?? ''));
}
