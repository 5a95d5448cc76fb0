/**
 * A small JSON file with the options that suit one target, as `snapshard tune --out` writes it:
 * `{"format":"snapshard-options-1","writer":{…},"measured":{…}}`.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { SnapshardError, type SnapshardErrorCode } from '../errors.js';
import { describe, invalidArgument, quote } from '../tensor/describe.js';
import { performanceFields, performanceOf, type PerformanceOptions } from './performance.js';
import { matching, validate } from './validate.js';

export const optionsFormat = 'snapshard-options-1';

/** More than any file of this kind needs. */
const fileBytesMax = 64 * 1024;

export interface OptionsFile {
  readonly format: typeof optionsFormat;
  /** Options of `CheckpointWriter.open`; what is not here is as by default. */
  readonly writer: Partial<PerformanceOptions>;
  /** Where and when this was found out, for whoever reads the file. */
  readonly measured?: Readonly<Record<string, unknown>> | undefined;
}

const fileSchema = z.strictObject({
  format: z.literal(optionsFormat, quote(optionsFormat)),
  writer: matching<object>(isRecord, 'an object of options'),
  measured: matching<Record<string, unknown>>(isRecord, 'an object').optional(),
});

const writerSchema = z.strictObject(performanceFields);

/** Options that say who a writer is, or what happens: nobody looks for these in a file. */
const neverInFiles = ['cudaDevice', 'deadlineMs', 'rank', 'worldSize', 'runId', 'optionsFile'];

/** @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` */
export function optionsFilePath(file: unknown): string {
  if (file instanceof URL && file.protocol === 'file:') return fileURLToPath(file);
  if (typeof file === 'string' && file !== '' && !file.includes('\0') && !file.startsWith('file:')) return file;
  throw invalidArgument('`optionsFile`', 'the path or the file: URL of what `snapshard tune --out` wrote', file);
}

/**
 * Reads and checks an options file.
 * @throws {SnapshardError} `ERR_SNAPSHARD_NOT_FOUND`, `_PERMISSION`, `_IO`; `_CORRUPT` for what is no JSON object, or
 *   has no format; `_UNSUPPORTED_VERSION` for another format; `_INVALID_ARGUMENT` naming a field that is unknown, has
 *   no place in a file, or has a wrong value
 */
export async function readOptionsFile(path: string): Promise<OptionsFile> {
  const value = parse(await readSmall(path), path);
  requireFormat(value, path);
  const what = `the options file ${path}`;
  const { format, writer, measured } = validate(fileSchema, value, what);
  refuseStrangers(writer, path);
  return { format, writer: performanceOf(validate(writerSchema, writer, `\`writer\` in ${what}`)), measured };
}

/** The text of such a file. */
export function optionsFileText(writer: Readonly<Record<string, unknown>>, measured: Readonly<Record<string, unknown>>): string {
  return `${JSON.stringify({ format: optionsFormat, writer, measured }, undefined, 2)}\n`;
}

async function readSmall(path: string): Promise<Buffer> {
  try {
    // What is no file must not hold us up, as a pipe would.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await file.stat();
    if (!stat.isFile() || stat.size > fileBytesMax) throw damaged(path, 'it is no file of at most 64 KiB');
    const bytes = Buffer.alloc(fileBytesMax);
    const { bytesRead } = await file.read(bytes, 0, fileBytesMax, 0);
    return bytes.subarray(0, bytesRead);
  } catch (error) {
    if (error instanceof SnapshardError) throw error;
    throw unreadable(error, path);
  }
}

const codeOfErrno: Readonly<Record<string, SnapshardErrorCode>> = {
  ENOENT: 'ERR_SNAPSHARD_NOT_FOUND',
  ENOTDIR: 'ERR_SNAPSHARD_NOT_A_DIRECTORY',
  EACCES: 'ERR_SNAPSHARD_PERMISSION',
  EPERM: 'ERR_SNAPSHARD_PERMISSION',
  EMFILE: 'ERR_SNAPSHARD_TOO_MANY_FILES',
  ENFILE: 'ERR_SNAPSHARD_TOO_MANY_FILES',
};

function unreadable(error: unknown, path: string): SnapshardError {
  const { code: errno = 'EIO', syscall = 'read' } = error as NodeJS.ErrnoException;
  const message =
    `Cannot read the options file ${path}: ${errno} from ${syscall}. Write it with \`snapshard tune DIR --out FILE\`, ` +
    'correct the path, or leave `optionsFile` out.';
  return new SnapshardError(codeOfErrno[errno] ?? 'ERR_SNAPSHARD_IO', message, { cause: error, errno, syscall, path });
}

function parse(bytes: Buffer, path: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw damaged(path, 'it is not JSON', error);
  }
  if (!isRecord(value)) throw damaged(path, `it holds ${describe(value)}`);
  return value;
}

function requireFormat({ format }: Record<string, unknown>, path: string): void {
  if (format === optionsFormat) return;
  if (typeof format !== 'string') throw damaged(path, 'it has no `format`');
  throw new SnapshardError('ERR_SNAPSHARD_UNSUPPORTED_VERSION', messageOfFormat(format, path), { path });
}

function messageOfFormat(format: string, path: string): string {
  if (/^snapshard-(tune|bench)-\d+$/.test(format)) {
    return `${path} holds measurements (${format}), as --json writes them: pass the file that \`snapshard tune --out\` wrote.`;
  }
  const wanted = `this version of Snapshard reads ${quote(optionsFormat)}`;
  return `The options file ${path} has the format ${quote(format)}, and ${wanted}: update it, or run \`snapshard tune\` again.`;
}

function refuseStrangers(writer: object, path: string): void {
  const stranger = neverInFiles.find((name) => Object.hasOwn(writer, name));
  if (stranger === undefined) return;
  throw new SnapshardError(
    'ERR_SNAPSHARD_INVALID_ARGUMENT',
    `\`${stranger}\` cannot come from the options file ${path}, which holds performance options only: take it out, ` +
      'and pass it to CheckpointWriter.open.',
    { path },
  );
}

function damaged(path: string, how: string, cause?: unknown): SnapshardError {
  const message = `${path} is no options file: ${how}. Write it anew with \`snapshard tune DIR --out FILE\`.`;
  return new SnapshardError('ERR_SNAPSHARD_CORRUPT', message, { path, cause });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
