import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { openStored } from '../../lib/restore/open.js';
import type { StoredCheckpoint } from '../../lib/restore/stored.js';
import { disk } from '../support/disk_binding.js';
import { shard, writeFolder } from '../support/foreign_shard.js';
import { useRoot } from '../support/root.js';

vi.mock('../../lib/binding.js', () => import('../support/disk_binding.js'));

const root = useRoot();
const at = (...names: string[]): string => join(root.path, ...names);

const write = (files: Record<string, Buffer | object>, folder = 'folder'): string => writeFolder(at(folder), files);

async function open(path: string): Promise<StoredCheckpoint> {
  const { store, stored } = await openStored(path);
  await store.close();
  return stored;
}

async function refusal(path: string, code = 'ERR_SNAPSHARD_CORRUPT'): Promise<string> {
  const error: unknown = await open(path).then(
    () => expect.fail('was opened'),
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: 'SnapshardError', code });
  expect(disk.open.size).toBe(0);
  return (error as Error).message;
}

const shapes = ({ tensors }: StoredCheckpoint) =>
  Object.fromEntries([...tensors.values()].map(({ name, shape, slices }) => [name, [shape, slices.length]]));

describe('a folder without an index', () => {
  it('is all of its files together', async () => {
    write({
      'a.safetensors': shard({ a: { shape: [1] } }),
      'b.safetensors': shard({ b: { shape: [2] } }),
      'b.bin': {},
    });
    const stored = await open(at('folder'));
    expect(stored.format).toBe('huggingface');
    expect(shapes(stored)).toEqual({ a: [[1], 1], b: [[2], 1] });
  });

  it.each([
    [['model-00001-of-00003', 'model-00003-of-00003'], /lacks model-00002-of-00003\.safetensors\. Copy/],
    [['model-00002-of-000163'], /lacks model-00001-of-000163\.\S+, model-00003-\S+, model-00004-of-000163\.\S+, …/],
    [['a', 'model-1-of-3', 'model-2-of-3'], /lacks model-3-of-3\.safetensors/],
    [['model-00000-of-00002'], /lacks model-00001-of-00002\.safetensors/],
    [['model-00001-of-00001', 'optimizer-00002-of-00002'], /lacks optimizer-00001-of-00002\.safetensors/],
    [['model-00001-of-00002', 'model-00002-of-00002', 'model-00001-of-00003'], /lacks model-00002-of-00003\S+, /],
    [['shard-00001-model-00001-of-00002', 'shard-00002-model-00001-of-00002'], /lacks shard-00001-model-00002-of-/],
    [['model-00001-of-999999999999999'], /lacks model-00002-of-/],
  ])('is refused where %j tell that there are more files', async (names, message) => {
    write(Object.fromEntries(names.map((name) => [`${name}.safetensors`, shard({ [name]: { shape: [1] } })])));
    expect(await refusal(at('folder'))).toMatch(message);
  });

  it.each([
    [['model-00001-of-00002', 'model-00002-of-00002', 'extra']],
    [['model-00000-of-00002', 'model-00001-of-00002']],
    [['of-00002', '1-of-b', 'model-00001-of-00001', 'other-00001-of-00001']],
    // Each process of PyTorch writes the files that it has tensors for; one without any writes none.
    [['shard-00001-model-00001-of-00002', 'shard-00003-model-00002-of-00002']],
  ])('is opened where %j lack nothing', async (names) => {
    write(Object.fromEntries(names.map((name) => [`${name}.safetensors`, shard({ [name]: { shape: [1] } })])));
    expect((await open(at('folder'))).tensors.size).toBe(names.length);
  });

  it('may have a manifest.json, and ranks, of somebody else', async () => {
    write({ 'a.safetensors': shard({ a: { shape: [1] } }), 'manifest.json': { name: 'an app' } });
    mkdirSync(at('folder', 'ranks'));
    expect(shapes(await open(at('folder')))).toEqual({ a: [[1], 1] });
    writeFileSync(at('folder', 'ranks', '00000.json'), '{}');
    expect(await refusal(at('folder'))).toContain('is damaged: manifest.json');
  });

  it('is refused where two files have a tensor of the same name', async () => {
    write({ 'a.safetensors': shard({ x: { shape: [1] } }), 'b.safetensors': shard({ x: { shape: [1] } }) });
    const message = await refusal(at('folder'), 'ERR_SNAPSHARD_DUPLICATE_NAME');
    expect(message).toMatch(/"x" is in both "a\.safetensors" and "b\.safetensors".*Open one of the files/);
  });

  it('is refused where one of many files is broken, and closes them all', async () => {
    const files = Array.from({ length: 30 }, (_, index) => [
      `${index}.safetensors`,
      shard({ [`t${index}`]: { shape: [1] } }),
    ]);
    write(Object.fromEntries(files) as Record<string, Buffer>);
    expect((await open(at('folder'))).tensors.size).toBe(30);
    truncateSync(at('folder', '17.safetensors'), 30);
    expect(await refusal(at('folder'))).toContain('17.safetensors');
  });
});

describe('what stands beside the shards', () => {
  const single = { 'a.safetensors': shard({ a: { shape: [1] } }) };
  const sideFiles = async (path: string) => [...(await open(path)).sideFiles.values()];

  it('is a side file where it is small, and one that Snapshard could have written', async () => {
    const folder = write({ ...single, 'config.json': { a: 1 }, 'tokenizer.model': Buffer.alloc(3), 'manifest.json': {} });
    write({ 'x.SAFETENSORS': {}, '.hidden': {}, large: {} });
    truncateSync(at('folder', 'large'), 2 ** 26 + 1);
    mkdirSync(at('folder', 'original'));
    execFileSync('mkfifo', [at('folder', 'pipe')]);
    expect(await sideFiles(folder)).toEqual([
      { name: 'config.json', bytes: 7, digest: undefined },
      { name: 'tokenizer.model', bytes: 3, digest: undefined },
    ]);
    write({ 'model.safetensors.index.json': { weight_map: { a: 'a.safetensors' } } });
    const names = ['config.json', 'tokenizer.model'];
    for (const path of [folder, at('folder', 'model.safetensors.index.json')]) {
      expect((await sideFiles(path)).map(({ name }) => name)).toEqual(names);
    }
    expect(await sideFiles(at('folder', 'a.safetensors'))).toEqual([]);
  });

  it('may be a link within the folder or the cache of Hugging Face, and none that leads elsewhere', async () => {
    writeFileSync(at('secret'), 'x');
    write({ blob: Buffer.alloc(5) }, 'models--x/blobs');
    const snapshot = write({ ...single, real: Buffer.alloc(7) }, 'models--x/snapshots/main');
    symlinkSync('../../blobs/blob', join(snapshot, 'config.json'));
    symlinkSync('real', join(snapshot, 'inside'));
    symlinkSync('../../../secret', join(snapshot, 'outside'));
    symlinkSync('gone', join(snapshot, 'dangling'));
    symlinkSync('loop', join(snapshot, 'loop'));
    const found = (await sideFiles(snapshot)).map(({ name, bytes }) => [name, bytes]);
    expect(found).toEqual([
      ['config.json', 5],
      ['inside', 7],
      ['real', 7],
    ]);
    const elsewhere = write(single, 'elsewhere');
    symlinkSync('../models--x/blobs/blob', join(elsewhere, 'config.json'));
    expect(await sideFiles(elsewhere)).toEqual([]);
  });
});
