import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { SnapshardError, type SnapshardErrorCode } from '../../errors.js';
import { describe } from '../../tensor/describe.js';
import { benchSchema, tuneSchema, type BenchResult, type TuneResult } from '../result.js';

const schemas = { bench: benchSchema, tune: tuneSchema };

/**
 * Reads what `snapshard bench --json` or `snapshard tune --json` wrote.
 * @throws {SnapshardError} `ERR_SNAPSHARD_NOT_FOUND`, `_PERMISSION`, `_IO` if the file cannot be read;
 *   `_CORRUPT` if it is no such result, or a damaged one; `_UNSUPPORTED_VERSION` if it is of a newer format
 */
export async function readResult(path: string): Promise<BenchResult | TuneResult> {
  return parseResult(await textOf(path), path);
}

/** As {@link readResult}, of its text; `path` is for the messages. */
export function parseResult(text: string, path: string): BenchResult | TuneResult {
  const value = jsonOf(text, path);
  const format = z.object({ format: z.string() }).safeParse(value).data?.format ?? '';
  const [, kind, version] = /^snapshard-(bench|tune)-(\d+)$/.exec(format) ?? [];
  if (kind === undefined) throw notSuch(path, `its "format" is ${format === '' ? 'missing' : describe(format)}`);
  if (version !== '1') throw newer(path, format);
  const parsed = schemas[kind as keyof typeof schemas].safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const place = issue === undefined ? '' : `${issue.path.join('.')}: ${issue.message}`;
  throw new SnapshardError(
    'ERR_SNAPSHARD_CORRUPT',
    `${path} is damaged: ${place}. Measure again, or restore the file.`,
    { path },
  );
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const { code: errno = '', syscall = '' } = cause as NodeJS.ErrnoException;
    throw new SnapshardError(codeOf(errno), `${path} cannot be read: ${(cause as Error).message}`, {
      cause,
      path,
      errno,
      syscall,
    });
  }
}

function codeOf(errno: string): SnapshardErrorCode {
  if (errno === 'ENOENT' || errno === 'ENOTDIR') return 'ERR_SNAPSHARD_NOT_FOUND';
  return errno === 'EACCES' || errno === 'EPERM' ? 'ERR_SNAPSHARD_PERMISSION' : 'ERR_SNAPSHARD_IO';
}

function jsonOf(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const why = text.trim() === '' ? 'it is empty' : `it is no JSON (${(cause as Error).message})`;
    throw notSuch(path, why, cause);
  }
}

function notSuch(path: string, why: string, cause?: unknown): SnapshardError {
  const message = `${path} is no result of snapshard bench or tune: ${why}. Give a file that --json wrote.`;
  return new SnapshardError('ERR_SNAPSHARD_CORRUPT', message, { path, cause });
}

function newer(path: string, format: string): SnapshardError {
  const message = `${path} has the format ${format}; this Snapshard reads version 1. Use the Snapshard that wrote it, or a newer one.`;
  return new SnapshardError('ERR_SNAPSHARD_UNSUPPORTED_VERSION', message, { path });
}
