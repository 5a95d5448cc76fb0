import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CheckpointWriter, type Published, type WriterOptions } from 'snapshard';
import { describe, expect, it } from 'vitest';
import { MiB, randomBytes } from '../support/bytes.js';
import { namesIn, useRoot } from '../support/root.js';

const root = useRoot();
const small = { stagingBytes: 8 * MiB, blockBytes: MiB };
const tensors = { a: randomBytes(2 * MiB), b: randomBytes(2 * MiB), c: randomBytes(2 * MiB) };

function optionsFile(value: unknown): string {
  const path = join(root.path, 'options.json');
  writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value));
  return path;
}

const withWriter = (writer: object): string => optionsFile({ format: 'snapshard-options-1', writer });

async function save(options: WriterOptions): Promise<Published> {
  const folder = join(root.path, 'checkpoints');
  mkdirSync(folder, { recursive: true });
  const writer = await CheckpointWriter.open(folder, options);
  try {
    return await writer.save({ step: 1, tensors, overwrite: true });
  } finally {
    await writer.close();
  }
}

function failure(options: WriterOptions): Promise<unknown> {
  return CheckpointWriter.open(root.path, options).then(() => expect.unreachable(), (error: unknown) => error);
}

describe('optionsFile', () => {
  it('sets what the call does not', async () => {
    const path = withWriter({ ...small, shardBytes: 2 * MiB, engine: 'pwrite', direct: false });
    const saved = await save({ optionsFile: path });
    expect(saved.files).toHaveLength(3);
    expect(saved).toMatchObject({ engine: 'pwrite', direct: 'no' });
    const asUrl = await save({ optionsFile: pathToFileURL(path) });
    expect(asUrl.files).toHaveLength(3);
  });

  it('gives way to the call', async () => {
    const path = withWriter({ ...small, shardBytes: 2 * MiB, engine: 'pwrite' });
    const saved = await save({ optionsFile: path, shardBytes: Infinity });
    expect(saved.files).toHaveLength(1);
    expect(saved.engine).toBe('pwrite');
    const undecided = await save({ optionsFile: path, shardBytes: undefined });
    expect(undecided.files).toHaveLength(3);
  });

  it('may be empty but for its format, and hold what nobody reads', async () => {
    const measured = { target: '/mnt', rank: 7 };
    const path = optionsFile({ format: 'snapshard-options-1', writer: {}, measured });
    expect((await save({ ...small, optionsFile: path })).files).toHaveLength(1);
  });

  it('must be what snapshard tune writes', async () => {
    const invalid = 'ERR_SNAPSHARD_INVALID_ARGUMENT';
    const corrupt = 'ERR_SNAPSHARD_CORRUPT';
    const unsupported = 'ERR_SNAPSHARD_UNSUPPORTED_VERSION';
    const format = 'snapshard-options-1';
    const cases: [content: unknown, code: string, message: RegExp][] = [
      [{ format, writer: { blokBytes: 1 } }, invalid, /Unknown property `blokBytes` in `writer` in .*options\.json/],
      [{ format, writer: {}, extra: 1 }, invalid, /Unknown property `extra` in the options file .*options\.json/],
      [{ format, writer: { rank: 1 } }, invalid, /`rank` cannot come from .*options\.json.*pass it to Checkpoint/],
      [{ format, writer: { runId: 'r' } }, invalid, /`runId` cannot come from/],
      [{ format, writer: { deadlineMs: 5 } }, invalid, /`deadlineMs` cannot come from/],
      [{ format, writer: { cudaDevice: 0 } }, invalid, /`cudaDevice` cannot come from/],
      [{ format, writer: { blockBytes: 3 } }, invalid, /power of two .* for `blockBytes` in `writer`.* received 3/],
      [{ format, writer: { shardBytes: null } }, invalid, /`shardBytes`.*received null/],
      [{ format, writer: [] }, invalid, /an object of options for `writer`/],
      [{ format }, invalid, /`writer` in the options file .* received undefined/],
      [{ format: 'snapshard-options-2', writer: {} }, unsupported, /snapshard-options-2.*update it, or run `snapshard tune`/],
      [{ format: 'snapshard-tune-1', points: [] }, unsupported, /holds measurements.*--out/],
      [{ writer: {} }, corrupt, /has no `format`/],
      ['[]', corrupt, /it holds \[\]/],
      ['{"format":"snapshard-options-1","writer":{', corrupt, /is not JSON.*snapshard tune DIR --out FILE/],
      ['', corrupt, /is not JSON/],
      [`{}${' '.repeat(65536)}`, corrupt, /no file of at most 64 KiB/],
    ];
    for (const [content, code, message] of cases) {
      const error = await failure({ optionsFile: optionsFile(content) });
      expect(error, JSON.stringify(content).slice(0, 80)).toMatchObject({ code, message: expect.stringMatching(message) as string });
    }
    expect(namesIn(root.path)).toEqual(['options.json']);
  });

  it('must be there, and be a file', async () => {
    const missing = join(root.path, 'missing.json');
    expect(await failure({ optionsFile: missing })).toMatchObject({
      code: 'ERR_SNAPSHARD_NOT_FOUND',
      errno: 'ENOENT',
      path: missing,
      message: expect.stringContaining('snapshard tune DIR --out FILE') as string,
    });
    expect(await failure({ optionsFile: root.path })).toMatchObject({ code: 'ERR_SNAPSHARD_CORRUPT' });
    const pipe = join(root.path, 'pipe');
    execFileSync('mkfifo', [pipe]);
    expect(await failure({ optionsFile: pipe })).toMatchObject({ code: 'ERR_SNAPSHARD_CORRUPT' });
    for (const wrong of ['', 'a\0b', 7, null, {}, 'file:///tmp/x.json', new URL('https://example.org/x.json')]) {
      const error = await failure({ optionsFile: wrong as string });
      expect(error, JSON.stringify(wrong)).toMatchObject({ code: 'ERR_SNAPSHARD_INVALID_ARGUMENT' });
      expect((error as Error).message).toContain('`optionsFile`');
    }
  });

  it('says that it took part where it and the call make no sense together', async () => {
    const path = withWriter({ blockBytes: 64 * MiB });
    expect(await failure({ optionsFile: path, stagingBytes: 100 * MiB })).toMatchObject({
      code: 'ERR_SNAPSHARD_INVALID_ARGUMENT',
      message: expect.stringMatching(/two blocks .*Some of it comes from .*options\.json/) as string,
    });
  });
});
