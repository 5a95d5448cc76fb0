import { mkdirSync, readFileSync, rmdirSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CheckpointWriter, removeCheckpoint } from 'snapshard';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MiB, randomBytes } from '../support/bytes.js';
import { runChild } from '../support/child.js';
import { mountSmallDisk, type LoopMount } from '../support/loop_mount.js';
import { openFiles } from '../support/process_state.js';
import { namesIn, useRoot } from '../support/root.js';

const root = useRoot();

describe('a root', () => {
  it('that is missing', async () => {
    const path = join(root.path, 'missing');
    await expect(CheckpointWriter.open(path)).rejects.toMatchObject({
      code: 'ERR_SNAPSHARD_NOT_FOUND',
      errno: 'ENOENT',
      path,
      message: expect.stringContaining('create it') as string,
    });
    await expect(removeCheckpoint(path, 1)).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_NOT_FOUND' });
  });

  it('that is a file', async () => {
    const path = join(root.path, 'file');
    writeFileSync(path, '');
    await expect(CheckpointWriter.open(path)).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_NOT_A_DIRECTORY', path });
  });

  it('that goes away while it is open', async () => {
    const path = join(root.path, 'inner');
    mkdirSync(path);
    const writer = await CheckpointWriter.open(path, { stagingBytes: 8 * MiB });
    rmdirSync(path);
    await expect(writer.save({ step: 1, tensors: {} })).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_NOT_FOUND' });
    await writer.close();
  });
});

describe('descriptors', () => {
  it('that are all taken fail a save, and the next one works', async () => {
    const child = await runChild('exhausted', { root: root.path }, { descriptorsMax: 100 });
    expect(child.messages, child.output).toEqual(['ERR_SNAPSHARD_TOO_MANY_FILES', 'ERR_SNAPSHARD_TOO_MANY_FILES', 'none']);
    expect([child.code, child.signal]).toEqual([0, null]);
    expect(namesIn(root.path)).toEqual(['step-0000000001']);
  });
});

describe('a small disk', () => {
  let disk: LoopMount | string;
  let writer: CheckpointWriter;
  let freeBefore: number;
  let filesBefore: string[];

  beforeEach(async (context) => {
    disk = mountSmallDisk(root.path, 96 * MiB);
    if (typeof disk === 'string') {
      console.warn(`skipped: ${disk}`);
      context.skip(disk);
      return;
    }
    writer = await CheckpointWriter.open(disk.path, { stagingBytes: 16 * MiB, shardBytes: 4 * MiB });
    await writer.save({ step: 0, tensors: { a: new Uint8Array(1) } });
    filesBefore = openFiles();
    freeBefore = statfsSync(disk.path).bavail;
  });

  /** After every case: no space is lost, nothing is left, and a save that fits works. */
  afterEach(async () => {
    if (typeof disk === 'string') return;
    try {
      expect(namesIn(disk.path)).toEqual(['lost+found', 'step-0000000000']);
      expect(statfsSync(disk.path).bavail).toBe(freeBefore);
      await writer.save({ step: 1, tensors: { a: randomBytes(40 * MiB) } });
      expect(openFiles()).toEqual(filesBefore);
      await writer.close();
    } finally {
      disk.unmount();
    }
  });

  const mounted = (): LoopMount => disk as LoopMount;

  it('that is full before: nothing is written', async () => {
    const save = writer.save({ step: 1, tensors: { a: randomBytes(200 * MiB) } });
    await expect(save).rejects.toMatchObject({
      code: 'ERR_SNAPSHARD_NO_SPACE',
      errno: 'ENOSPC',
      message: expect.stringContaining(`needs ${200 * MiB + 4096} bytes`) as string,
      path: expect.stringContaining(`${mounted().path}/.step-0000000001.`) as string,
    });
  });

  it('that fills up in the middle of the shards', async () => {
    const tensors = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`t${index}`, randomBytes(4 * MiB)]));
    const save = writer.save({ step: 1, tensors });
    const progress = [];
    for await (const { writtenBytes } of save.progress()) progress.push(writtenBytes);
    await expect(save).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_NO_SPACE', errno: 'ENOSPC' });
  });

  it('that fills up after the shards, with the files beside them', async () => {
    const files = { 'state.bin': randomBytes(60 * MiB) };
    const save = writer.save({ step: 1, tensors: { a: randomBytes(50 * MiB) }, files });
    await expect(save).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_NO_SPACE' });
  });

  it('that is read-only', async () => {
    mounted().remount('ro');
    await expect(writer.save({ step: 1, tensors: { a: randomBytes(MiB) } })).rejects.toMatchObject({
      code: 'ERR_SNAPSHARD_READ_ONLY',
      errno: 'EROFS',
    });
    await expect(removeCheckpoint(mounted().path, 0)).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_READ_ONLY' });
    const readable = join(mounted().path, 'step-0000000000/manifest.json');
    expect(JSON.parse(readFileSync(readable, 'utf8'))).toMatchObject({ step: 0 });
    mounted().remount('rw');
  });

  it('that does not answer: the deadline ends the wait, and so does close', async () => {
    const hasty = await CheckpointWriter.open(mounted().path, { stagingBytes: 16 * MiB, deadlineMs: 300 });
    const tensors = { a: randomBytes(20 * MiB) };
    mounted().freeze();
    try {
      const late = expect.objectContaining({ code: 'ERR_SNAPSHARD_DEADLINE' }) as Error;
      await expect(hasty.save({ step: 1, tensors })).rejects.toEqual(late);
      await expect(hasty.save({ step: 2, tensors })).rejects.toEqual(late);
      await hasty.close();
      const closed = expect.objectContaining({ code: 'ERR_SNAPSHARD_CLOSED' }) as Error;
      expect(() => hasty.save({ step: 3, tensors })).toThrow(closed);
    } finally {
      mounted().thaw();
    }
    await vi.waitUntil(() => namesIn(mounted().path).length === 2, { timeout: 10_000 });
    await vi.waitUntil(() => openFiles().length === filesBefore.length, { timeout: 10_000 });
  });
});
