import { resolve } from 'node:path';
import { invalidArgument } from './describe.js';

/** A range of a file whose bytes become a tensor's, such as shared memory of another process. */
export interface FileSourceOptions {
  /** Path of the file; a relative one is resolved at the call. Either this or `fd`. */
  readonly path?: string | undefined;
  /** An open file descriptor; it may be closed once `save` has returned. */
  readonly fd?: number | undefined;
  /** Where the range begins, in bytes. Default 0. */
  readonly offset?: number | undefined;
  /** Length of the range. */
  readonly bytes: number;
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

const optionNames = new Set(['path', 'fd', 'offset', 'bytes']);
const descriptorLimit = 2 ** 31;

function checkedInteger(option: string, value: unknown, limit: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < limit) return value as number;
  throw invalidArgument(`\`${option}\` of fileSource`, 'an integer of 0 or more', value);
}

function checkedFile(path: unknown, descriptor: unknown): string | number {
  if (path !== undefined && descriptor !== undefined) {
    throw invalidArgument('fileSource', 'either `path` or `fd`', 'both');
  }
  if (path === undefined) return checkedInteger('fd', descriptor, descriptorLimit);
  if (typeof path === 'string' && path !== '' && !path.includes('\0')) return resolve(path);
  throw invalidArgument('`path` of fileSource', 'a path', path);
}

/**
 * Names a range of a file as the data of a tensor. The file is read while the save is staged; one that turns out
 * shorter fails the save.
 * @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT`
 */
export function fileSource(options: FileSourceOptions): FileSource {
  if (typeof options !== 'object' || (options as unknown) === null) {
    throw invalidArgument('fileSource', '{ path | fd, offset, bytes }', options);
  }
  const unknownName = Object.keys(options).find((name) => !optionNames.has(name));
  if (unknownName !== undefined) throw invalidArgument('fileSource', 'path, fd, offset or bytes', unknownName);
  const file = checkedFile(options.path, options.fd);
  const offset = checkedInteger('offset', options.offset ?? 0, Number.MAX_SAFE_INTEGER);
  return new FileSource(file, offset, checkedInteger('bytes', options.bytes, Number.MAX_SAFE_INTEGER - offset));
}
