import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { ReadRequest, ReadResult } from '../../lib/binding.js';
import { Checkpoint } from '../../lib/restore/checkpoint.js';
import { resolveCheckpointOptions } from '../../lib/restore/read_options.js';
import { ReadSource } from '../../lib/restore/read_source.js';
import type { StoredCheckpoint, StoredFile, StoredTensor } from '../../lib/restore/stored.js';
import { NativeStore } from '../../lib/store/native_store.js';
import { MiB } from '../support/bytes.js';
import { resetFakeBinding } from '../support/fake_binding.js';

vi.mock('../../lib/binding.js', () => import('../support/fake_binding.js'));

const files = 5;
const chunksOfFile = 32 * 1024;
const headerBytes = 4096;
const digestOfAll = createHash('md5').update(new Uint8Array(chunksOfFile * 16)).digest('hex');
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'snapshard-test-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

/** Of 32 GiB in each file, all of it holes. */
function stored(): StoredCheckpoint {
  const [bytes, group, origin] = [headerBytes + chunksOfFile * MiB, 'model', [0]];
  const list: StoredFile[] = [];
  const tensors = new Map<string, StoredTensor>();
  for (let file = 0; file < files; file += 1) {
    const [path, shape] = [`shard-${file}`, [chunksOfFile * MiB]];
    writeFileSync(join(directory, path), '');
    truncateSync(join(directory, path), bytes);
    list.push({ path, bytes, headerBytes, group, digest: digestOfAll, chunkDigests: { path: 'none', offset: 0 } });
    const slice = { file, begin: headerBytes, end: bytes, origin, shape, digest: digestOfAll, firstChunk: 1 };
    tensors.set(path, { name: path, dtype: 'U8', shape, group, slices: [slice] });
  }
  return {
    ...{ format: 'snapshard', hasDigests: true, step: 1, time: new Date(), digest: undefined, worldSize: 1, metadata: {} },
    ...{ files: list, tensors, sideFiles: new Map(), listedFiles: new Map() },
  };
}

setFlagsFromString('--expose-gc');
// Once: each context is megabytes itself.
const collectGarbage = runInNewContext('gc') as () => void;

function memoryInUse(): number {
  // ArrayBuffers of a first collection are freed beside the program, and are gone when a second one begins.
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

it('a check of all data keeps no digest of a file that it is done with', async () => {
  const fake = resetFakeBinding();
  const used: number[] = [];
  fake.startRead = (_staging: number, _store: number, request: ReadRequest) => {
    if (request.chunkOffset.includes(headerBytes)) used.push(memoryInUse());
    const digests = new Uint8Array(request.chunkFile.length * 16);
    return { handle: 1, done: Promise.resolve({ digests } as unknown as ReadResult) };
  };
  const opened = { path: directory, store: await NativeStore.open(directory), followLinks: false, stored: stored() };
  await using checkpoint = new Checkpoint(new ReadSource(opened, resolveCheckpointOptions({})));
  const { chunks } = await checkpoint.verify();
  expect([chunks, used.length]).toEqual([files * (1 + chunksOfFile), files]);
  // Sixteen bytes a chunk would be a million and a half more.
  expect(used[4]! - used[1]!).toBeLessThan(750_000);
});
