import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ReadRequest } from '../../lib/binding.js';
import { HeaderBuilder } from '../../lib/layout/header.js';
import { Checkpoint } from '../../lib/restore/checkpoint.js';
import { resolveCheckpointOptions } from '../../lib/restore/read_options.js';
import { ReadSource } from '../../lib/restore/read_source.js';
import type { StoredCheckpoint } from '../../lib/restore/stored.js';
import { NativeStore } from '../../lib/store/native_store.js';
import { pattern } from './restore_plan_arbitraries.js';
import { type FakeBinding, nativeError, resetFakeBinding } from '../support/fake_binding.js';
import { ended, expectNoUnhandledRejections } from '../support/promises.js';

vi.mock('../../lib/binding.js', () => import('../support/fake_binding.js'));
expectNoUnhandledRejections();

const MiB = 2 ** 20;
const path = 'model-00001-of-00001.safetensors';
const tensorBytes = 5 * MiB + 9;
const md5 = (bytes: Uint8Array): Buffer => createHash('md5').update(bytes).digest();
let directory: string;
let fake: FakeBinding;
let checkpoint: Checkpoint;

/** A checkpoint of one tensor; digests are those of the fake. */
function stored(data: Buffer): StoredCheckpoint {
  const shape = [tensorBytes];
  const origin = [0];
  const builder = new HeaderBuilder(false);
  const spec = { name: 'w', dtype: 'U8', shape, globalShape: shape, origin, group: 'model', bytes: tensorBytes } as const;
  builder.add(spec);
  const header = builder.finish();
  const chunks = Array.from({ length: 6 }, (_, chunk) => md5(data.subarray(chunk * MiB, (chunk + 1) * MiB)));
  const list = Buffer.concat([md5(header), ...chunks]);
  const contents = Buffer.concat([header, data]);
  writeFileSync(join(directory, path), contents);
  fake.tree.set(path, contents);
  fake.tree.set('ranks/00000.digests', list);
  const digest = md5(list.subarray(16)).toString('hex');
  const slice = { file: 0, begin: header.length, end: contents.length, origin, shape, digest, firstChunk: 1 };
  const file = { path, bytes: contents.length, headerBytes: header.length, group: 'model' };
  const chunkDigests = { path: 'ranks/00000.digests', offset: 0 };
  return {
    ...{ format: 'snapshard', hasDigests: true, step: 1, time: new Date(), digest: undefined, worldSize: 1, metadata: {} },
    files: [{ ...file, digest: md5(list).toString('hex'), chunkDigests }],
    tensors: new Map([['w', { name: 'w', dtype: 'U8', shape, group: 'model', slices: [slice] }]]),
    ...{ sideFiles: new Map(), listedFiles: new Map() },
  };
}

beforeEach(async () => {
  fake = resetFakeBinding();
  directory = mkdtempSync(join(tmpdir(), 'snapshard-test-'));
  const opened = { path: directory, store: await NativeStore.open(directory), followLinks: false, stored: stored(pattern(tensorBytes)) };
  checkpoint = new Checkpoint(new ReadSource(opened, resolveCheckpointOptions({})));
});

afterEach(async () => {
  await checkpoint.close();
  rmSync(directory, { recursive: true });
});

/** From now on reads fail that touch some bytes of the shard. */
function breakAt(offset: number, errnoName: string): void {
  const startRead = fake.startRead.bind(fake);
  fake.startRead = (staging: number, store: number, request: ReadRequest) => {
    const touched = request.chunkOffset.some((begin, chunk) => {
      const isShard = request.paths[request.chunkFile[chunk]!] === path;
      return isShard && begin <= offset && offset < begin + request.chunkBytes[chunk]!;
    });
    if (touched) fake.failNext('startRead', errnoName);
    return startRead(staging, store, request);
  };
}

describe('a part of a file that the device does not give', () => {
  it('is found by verify, and the rest of the file is compared', async () => {
    expect(await checkpoint.verify()).toMatchObject({ damaged: [], chunks: 7 });
    breakAt(4096 + 3 * MiB + 5, 'EIO');
    const report = await checkpoint.verify();
    expect(report.damaged).toEqual([
      { file: path, offset: 4096 + 3 * MiB, bytes: MiB, tensor: 'w', reason: expect.stringMatching(/EIO/) as string },
    ]);
    expect(report.chunks).toBe(6);
    fake.tree.get(path)![4096 + 5 * MiB]! ^= 1;
    const { damaged } = await checkpoint.verify();
    expect(damaged.map(({ offset, bytes }) => [offset, bytes])).toEqual([
      [4096 + 3 * MiB, MiB],
      [4096 + 5 * MiB, 9],
    ]);
  });

  it('is found by verify where it is the header, and the tensors are compared', async () => {
    breakAt(0, 'EIO');
    const { damaged, chunks } = await checkpoint.verify();
    expect(damaged).toMatchObject([{ file: path, offset: 0, tensor: undefined, reason: expect.stringMatching(/^the header: .*EIO/) as string }]);
    expect(chunks).toBe(6);
  });

  it('fails the reads that need it', async () => {
    breakAt(4096 + 3 * MiB, 'EIO');
    await expect(checkpoint.read('w')).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_IO', errno: 'EIO' });
    const before = await checkpoint.read('w', { origin: [0], shape: [3 * MiB] });
    expect(Buffer.from(before.data).equals(pattern(tensorBytes).subarray(0, 3 * MiB))).toBe(true);
  });

  it('is not damage where the system only lacks something', async () => {
    breakAt(4096, 'ENOMEM');
    await expect(checkpoint.verify()).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_NO_MEMORY' });
  });
});

describe('a file that the server no longer knows', () => {
  const stale = { code: 'ERR_SNAPSHARD_CORRUPT', message: expect.stringContaining('is missing') as string };
  const replaced = { code: 'ERR_SNAPSHARD_NOT_FOUND', message: expect.stringContaining('open it') as string };

  it('is missing, unless another stands in its place, which may be opened', async () => {
    vi.spyOn(fake, 'startRead').mockImplementation(() => {
      const done = Promise.reject(nativeError('system', 'ESTALE', 'read', path));
      done.catch(() => undefined);
      return { handle: 1, done };
    });
    await expect(checkpoint.read('w')).rejects.toMatchObject(replaced);
    fake.tree.delete(path);
    await expect(checkpoint.read('w')).rejects.toMatchObject(stale);
  });
});

describe('the memory that reads go through', () => {
  it('is taken when data is first read, once, and given back in the end', async () => {
    expect(fake.calls).not.toContain('createStaging');
    await Promise.all([checkpoint.read('w'), checkpoint.read('w')]);
    expect(fake.calls.filter((call) => call === 'createStaging')).toHaveLength(1);
    await checkpoint.close();
    expect(fake.calls.slice(-2)).toEqual(['closeStaging', 'closeStore']);
  });

  it('is asked for again where there was none', async () => {
    fake.failNext('createStaging', 'ENOMEM');
    await expect(checkpoint.read('w')).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_NO_MEMORY' });
    expect((await checkpoint.read('w')).verified).toBe(true);
  });

  it('is never taken by a checkpoint of which nothing is read', async () => {
    await checkpoint.close();
    expect(fake.calls).toEqual(['openStore ' + directory, 'closeStore']);
  });
});

describe('a read that hangs', () => {
  it('holds up close, and ends with its signal', async () => {
    fake.hang(/startRead/);
    const controller = new AbortController();
    const read = checkpoint.read('w', {}, { signal: controller.signal });
    read.catch(() => undefined);
    await vi.waitFor(() => {
      expect(fake.calls).toContain(`startRead ${path}`);
    });
    const closing = checkpoint.close();
    expect(await ended(closing)).toBe(false);
    controller.abort(nativeError('closed'));
    await expect(read).rejects.toBe(controller.signal.reason);
    await closing;
  });
});
