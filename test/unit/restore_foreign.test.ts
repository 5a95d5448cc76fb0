import { execFileSync } from 'node:child_process';
import { rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type * as v8 from 'node:v8';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { SnapshardError } from '../../lib/errors.js';
import { openStored } from '../../lib/restore/open.js';
import type { StoredCheckpoint } from '../../lib/restore/stored.js';
import { disk } from '../support/disk_binding.js';
import { shard, writeFolder } from '../support/foreign_shard.js';
import { useRoot } from '../support/root.js';

vi.mock('../../lib/binding.js', () => import('../support/disk_binding.js'));

/** What the process believes its heap to be. */
const heap = vi.hoisted((): { heap_size_limit?: number } => ({}));
vi.mock('node:v8', async (importOriginal) => {
  const original = await importOriginal<typeof v8>();
  return { ...original, getHeapStatistics: () => ({ ...original.getHeapStatistics(), ...heap }) };
});

const root = useRoot();
const at = (...names: string[]): string => join(root.path, ...names);
const indexName = 'model.safetensors.index.json';

const write = (files: Record<string, Buffer | object>, folder = 'folder'): string => writeFolder(at(folder), files);

async function open(path: string): Promise<StoredCheckpoint> {
  const { store, stored, followLinks } = await openStored(path);
  expect(followLinks).toBe(true);
  await store.close();
  return stored;
}

async function refusal(path: string, code = 'ERR_SNAPSHARD_CORRUPT'): Promise<string> {
  const error = (await open(path).then(
    () => expect.fail('was opened'),
    (reason: unknown) => reason,
  )) as SnapshardError;
  expect(error).toMatchObject({ name: 'SnapshardError', code });
  expect(error.path?.startsWith(root.path)).toBe(true);
  expect(error.message).toContain(root.path);
  return error.message;
}

const shapes = ({ tensors }: StoredCheckpoint) =>
  Object.fromEntries([...tensors.values()].map(({ name, shape, slices }) => [name, [shape, slices.length]]));

afterEach(() => {
  expect(disk.open.size).toBe(0);
});

describe('a lone file', () => {
  it('opens with what its header says, and without digests', async () => {
    const bytes = shard({ a: { shape: [2 ** 20 + 1] }, e: { shape: [0] }, b: { shape: [2, 3] } }, { epoch: '3' });
    write({ 'any name': bytes });
    const opened = await openStored(at('folder', 'any name'));
    await opened.store.close();
    expect(opened).toMatchObject({ path: at('folder', 'any name'), store: { root: at('folder') } });
    const { files, tensors, ...rest } = opened.stored;
    expect(rest).toEqual({
      ...{ format: 'safetensors', hasDigests: false, step: undefined, time: undefined, digest: undefined },
      ...{ worldSize: undefined, metadata: { epoch: '3' }, sideFiles: new Map(), listedFiles: new Map() },
    });
    const headerBytes = 8 + Number(bytes.readBigUInt64LE());
    const noDigests = { digest: undefined, chunkDigests: undefined };
    expect(files).toEqual([{ path: 'any name', bytes: bytes.length, headerBytes, group: 'model', ...noDigests }]);
    const slice = { file: 0, begin: bytes.length - 6, end: bytes.length, origin: [0, 0], shape: [2, 3] };
    expect(tensors.get('b')).toEqual({
      ...{ name: 'b', dtype: 'U8', shape: [2, 3], group: 'model' },
      slices: [{ ...slice, digest: undefined, firstChunk: 3 }],
    });
  });

  it('may be a symbolic link, and hold slices', async () => {
    write({ blob: shard({ a: { shape: [2], offsets: [4] } }) });
    symlinkSync('folder/blob', at('link'));
    expect(shapes(await open(at('link')))).toEqual({ a: [[6], 1] });
  });

  it('is refused by its name where its header is broken', async () => {
    const sound = shard({ a: { shape: [4] } });
    const path = at('x.safetensors');
    const broken: [Buffer, RegExp][] = [
      [Buffer.alloc(0), /0 bytes long: too short/],
      [Buffer.from('not safetensors at all'), /header would be \d+ bytes long: more than/],
      [sound.subarray(0, -1), /"?4 bytes, but the file has 3/],
      [sound.subarray(0, 20), /the file is 20: it is cut off/],
      [Buffer.concat([sound, Buffer.alloc(1)]), /take 4 bytes, but the file has 5/],
    ];
    for (const [bytes, message] of broken) {
      writeFileSync(path, bytes);
      const found = await refusal(path);
      expect(found).toContain(path);
      expect(found).toMatch(message);
    }
    writeFileSync(path, shard({ a: { shape: [4], dtype: 'X8' } }));
    expect(await refusal(path, 'ERR_SNAPSHARD_UNKNOWN_DTYPE')).toMatch(/x\.safetensors: Tensor "a" has the dtype "X8"/);
  });

  it('is refused where it would be a huge header of nothing', async () => {
    const word = Buffer.alloc(8);
    word.writeBigUInt64LE(100_000_000n);
    writeFileSync(at('sparse'), word);
    truncateSync(at('sparse'), 2 ** 40);
    expect(await refusal(at('sparse'))).toContain('does not begin with "{"');
  });

  it('is refused, and not waited for, where it is a pipe or a device', async () => {
    execFileSync('mkfifo', [at('pipe.safetensors')]);
    expect(await refusal(at('pipe.safetensors'))).toContain('no regular file');
    expect(await refusal(root.path)).toContain('no regular file');
    symlinkSync('/dev/zero', at('pipe2'));
    expect(await refusal(at('pipe2'))).toContain('no regular file');
  });
});

describe('a folder with an index', () => {
  const weightMap = { a: '1.safetensors', b: '2.safetensors', __proto__x: '2.safetensors' };
  const shards = {
    '1.safetensors': shard({ a: { shape: [4] }, more: { shape: [1] } }, { format: 'pt', part: '1' }),
    '2.safetensors': shard(
      { a: { shape: [9] }, b: { shape: [5] }, __proto__x: { shape: [] } },
      { format: 'pt', part: '2' },
    ),
  };

  it('has the tensors that the index names, from where it says', async () => {
    const folder = write({ ...shards, [indexName]: { metadata: { total_size: 10 }, weight_map: weightMap } });
    write({ 'consolidated.safetensors': shard({ z: { shape: [1] } }), 'config.json': {} });
    const stored = await open(folder);
    expect(stored).toMatchObject({ format: 'huggingface', hasDigests: false, metadata: { format: 'pt' } });
    expect(Object.keys(stored.metadata)).toEqual(['format']);
    expect(stored.files.map(({ path }) => path)).toEqual(['1.safetensors', '2.safetensors']);
    expect(shapes(stored)).toEqual({ a: [[4], 1], b: [[5], 1], __proto__x: [[], 1] });
    expect(stored.tensors.get('b')!.slices[0]).toMatchObject({ file: 1, firstChunk: 2 });
  });

  it('opens by the path of its index, too, which one of several needs', async () => {
    const other = 'model.fp16.safetensors.index.json';
    write({ ...shards, [other]: { weight_map: { b: '2.safetensors' } } });
    expect(shapes(await open(at('folder')))).toEqual({ b: [[5], 1] });
    write({ 'x.safetensors.index.json': { weight_map: { a: '1.safetensors' } } });
    expect(await refusal(at('folder'), 'ERR_SNAPSHARD_NOT_FOUND')).toContain(`open one by its own path: ${other}, x.`);
    expect(shapes(await open(at('folder', 'x.safetensors.index.json')))).toEqual({ a: [[4], 1] });
    write({ [indexName]: { weight_map: weightMap } });
    expect(Object.keys(shapes(await open(at('folder'))))).toEqual(['a', 'b', '__proto__x']);
  });

  it('may be links into a cache, as Hugging Face keeps it', async () => {
    write({ abc: shards['1.safetensors'], def: shards['2.safetensors'] }, 'models--x/blobs');
    write({ ghi: { weight_map: weightMap } }, 'models--x/blobs');
    const snapshot = write({}, 'models--x/snapshots/main');
    for (const [name, blob] of [
      ['1.safetensors', 'abc'],
      ['2.safetensors', 'def'],
      [indexName, 'ghi'],
    ] as const) {
      symlinkSync(`../../blobs/${blob}`, join(snapshot, name));
    }
    expect(Object.keys(shapes(await open(snapshot)))).toEqual(['a', 'b', '__proto__x']);
    rmSync(at('models--x/blobs/def'));
    expect(await refusal(snapshot)).toMatch(/incomplete.*2\.safetensors/);
  });

  const wrong: [string, unknown, RegExp][] = [
    ['no JSON', 'x', /no JSON|expected/],
    ['no weight_map', {}, /no weight_map/],
    ['a weight_map that is a list', { weight_map: [] }, /expected an object/],
    ['a file that is no text', { weight_map: { a: 1 } }, /expected a string/],
    [
      'a file above the folder',
      { weight_map: { a: '../1.safetensors' } },
      /"a" in "\.\.\/1\.safetensors", which is no file of/,
    ],
    ['an absolute file', { weight_map: { a: '/etc/passwd' } }, /no file of the folder/],
    ['the folder itself', { weight_map: { a: '.' } }, /no file of the folder/],
    ['the folder above', { weight_map: { a: '..' } }, /no file of the folder/],
    ['no file', { weight_map: { a: '' } }, /no file of the folder/],
    ['a file with NUL', { weight_map: { a: '1.safetensors\0' } }, /no file of the folder/],
    ['a backslash', { weight_map: { a: '..\\1.safetensors' } }, /no file of the folder/],
    ['a missing file', { weight_map: { a: '3.safetensors' } }, /incomplete.*3\.safetensors/],
    ['a file that is no safetensors', { weight_map: { a: 'config.json' } }, /config\.json: It is 2 bytes long/],
    ['a tensor that is not there', { weight_map: { b: '1.safetensors' } }, /"b" in "1\.safetensors", where it is not/],
    [
      'a slice for a tensor',
      { weight_map: { s: 's.safetensors' } },
      /"s" in "s\.safetensors", which holds only a slice/,
    ],
  ];

  it.each(wrong)('is refused with %s', async (_, index, message) => {
    write({ ...shards, 'config.json': {}, 's.safetensors': shard({ s: { shape: [1], offsets: [1] } }) });
    const path = at('folder', indexName);
    writeFileSync(path, typeof index === 'string' ? index : JSON.stringify(index));
    expect(await refusal(at('folder'))).toMatch(message);
  });

  it('is refused with a tensor, or the weight_map, twice', async () => {
    write(shards);
    writeFileSync(at('folder', indexName), '{"weight_map":{"a":"1.safetensors","a":"2.safetensors"}}');
    expect(await refusal(at('folder'))).toContain('tensor "a" twice');
    writeFileSync(at('folder', indexName), '{"weight_map":{},"weight_map":{}}');
    expect(await refusal(at('folder'))).toContain('weight_map twice');
  });

  it('is refused or opened, whatever is changed in the index', async () => {
    write(shards);
    const text = JSON.stringify({
      metadata: { total_size: 10 },
      weight_map: { a: '1.safetensors', b: '2.safetensors' },
    });
    const token = fc.constantFrom(...Array.from('{}[],:"\\./0'), '"a":', '\u0000', '../', '');
    const edit = fc.record({ at: fc.nat(text.length), drop: fc.nat(3), text: token });
    const property = fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
      let changed = text;
      for (const { at: place, drop, text: inserted } of edits) {
        changed = changed.slice(0, place) + inserted + changed.slice(place + drop);
      }
      writeFileSync(at('folder', indexName), changed);
      const outcome = await open(at('folder')).catch((error: unknown) => error as SnapshardError);
      if (outcome instanceof Error) expect(outcome.code).toBe('ERR_SNAPSHARD_CORRUPT');
      else expect(outcome.files.every(({ path }) => /^[12]\.safetensors$/.test(path))).toBe(true);
    });
    await fc.assert(property, { numRuns: 200 });
  });
});

describe('a folder of PyTorch DCP', () => {
  it('puts the slices of all files together, and finds the shapes of the tensors', async () => {
    write({
      '1.safetensors': shard(
        { w: { shape: [2, 4], offsets: [0, 0] }, s: { shape: [], offsets: [] } },
        { DCP_VERSION: '1.0' },
      ),
      '2.safetensors': shard(
        { w: { shape: [1, 4], offsets: [2, 0] }, c: { shape: [2, 3], offsets: [0, 2] } },
        { DCP_VERSION: '1.0' },
      ),
      '3.safetensors': shard({ c: { shape: [2, 2], offsets: [0, 0] }, w: { shape: [0, 4], offsets: [3, 0] } }),
    });
    const stored = await open(at('folder'));
    expect(stored).toMatchObject({ format: 'dcp', hasDigests: false, metadata: {} });
    expect(shapes(stored)).toEqual({ w: [[3, 4], 3], s: [[], 1], c: [[2, 5], 2] });
    expect(stored.tensors.get('w')!.slices.map(({ file, origin, shape }) => [file, origin, shape])).toEqual([
      [0, [0, 0], [2, 4]],
      [1, [2, 0], [1, 4]],
      [2, [3, 0], [0, 4]],
    ]);
  });

  it('is refused where the slices of a name are not of one tensor', async () => {
    const first = shard({ w: { shape: [2], offsets: [0] } });
    write({ '1.safetensors': first, '2.safetensors': shard({ w: { shape: [2], offsets: [2], dtype: 'I8' } }) });
    expect(await refusal(at('folder'))).toMatch(/"w" is in both "1.safetensors" and "2.safetensors".*U8 and I8/);
    write({ '2.safetensors': shard({ w: { shape: [2, 1], offsets: [2, 0] } }) });
    expect(await refusal(at('folder'))).toMatch(/not as slices of one tensor.*\[2\] and \[2, 1\]/);
    write({ '2.safetensors': shard({ w: { shape: [2] } }) });
    expect(await refusal(at('folder'), 'ERR_SNAPSHARD_DUPLICATE_NAME')).toContain('do not say that these are slices');
  });

  it('is refused for what this process has no memory for', async () => {
    const many = (from: number) =>
      shard(Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`t${from + index}`, { shape: [] }])));
    write({ '1.safetensors': many(0), '2.safetensors': many(60) });
    heap.heap_size_limit = 100 * 1024;
    const error: unknown = await open(at('folder')).catch((reason: unknown) => reason);
    delete heap.heap_size_limit;
    expect(error).toMatchObject({ code: 'ERR_SNAPSHARD_NO_MEMORY', message: expect.stringContaining('100') as string });
    expect((await open(at('folder'))).tensors.size).toBe(120);
  });
});
