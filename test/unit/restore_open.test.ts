import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openStored, type OpenedCheckpoint } from '../../lib/restore/open.js';
import type { StoredCheckpoint } from '../../lib/restore/stored.js';
import { readShard } from '../support/read_back.js';
import { disk } from '../support/disk_binding.js';
import { nativeError } from '../support/fake_binding.js';
import { useRoot } from '../support/root.js';
import { seal, writeCheckpoint, xxh3 } from '../support/stored_checkpoint.js';

vi.mock('../../lib/binding.js', () => import('../support/disk_binding.js'));

type Json = Record<string, unknown>;

const root = useRoot();
const at = (...names: string[]): string => join(root.path, ...names);
const u8 = (shape: number[], extra: object = {}) => ({
  ...{ dtype: 'U8' as const, shape, data: new Uint8Array(shape.reduce((product, size) => product * size, 1)) },
  ...extra,
});
const metadata = { epoch: 3, ['\n']: [1, null], nested: { 'a b': -0.5 } };

async function open(path: string): Promise<StoredCheckpoint> {
  const { store, stored } = await openStored(path);
  await store.close();
  return stored;
}

async function refusal(path: string, code: string): Promise<string> {
  const error: unknown = await open(path).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ name: 'SnapshardError', code });
  return (error as Error).message;
}

const readJson = (name: string): Json => JSON.parse(readFileSync(at('step', name), 'utf8')) as Json;

/** Changes manifest.json, and seals it. */
function change(fields: Json): void {
  writeFileSync(at('step', 'manifest.json'), seal({ ...readJson('manifest.json'), ...fields }));
}

/** Changes the manifest of rank 0, and what manifest.json says of it. */
function changeRank(fields: Json): void {
  const name = 'ranks/00000.json';
  const bytes = seal({ ...readJson(name), ...fields });
  writeFileSync(at('step', name), bytes);
  const [first, ...others] = readJson('manifest.json').ranks as Json[];
  change({ ranks: [{ ...first, manifest: { name, bytes: bytes.length, digest: xxh3(bytes) } }, ...others] });
}

/** Two ranks, two groups, and two tensors of this many bytes and more. */
async function write(bytes: number): Promise<void> {
  const row = (rank: number) => u8([1, 4], { globalShape: [2, 4], origin: [rank, 0] });
  const ranks = [
    { big: u8([2 * bytes + 1]), 'ß"': u8([3]), slices: row(0), adam: u8([7], { group: 'optimizer' }) },
    { slices: row(1), empty: u8([0, 5]), big1: u8([bytes]) },
  ];
  await writeCheckpoint(at('step'), { step: 12, ranks, metadata, files: { 'config.json': '{}', notes: 'x' } });
}

beforeEach(() => write(5));

afterEach(() => {
  disk.before = () => undefined;
  expect(disk.open.size).toBe(0);
});

describe('a checkpoint of our own', () => {
  it('of which a server takes handles back is opened anew; one that is gone is not found', async () => {
    const stale = (removed: boolean, times: number): void => {
      disk.before = (call, path) => {
        if (call !== 'list' || !path.endsWith('ranks') || times-- <= 0) return;
        if (removed) rmSync(at('step'), { recursive: true });
        throw nativeError('system', 'ESTALE', 'readdir', 'ranks');
      };
    };
    stale(false, 2);
    expect((await open(at('step'))).step).toBe(12);
    stale(false, 100);
    expect(await refusal(at('step'), 'ERR_SNAPSHARD_IO')).toContain('ESTALE');
    stale(true, 100);
    expect(await refusal(at('step'), 'ERR_SNAPSHARD_NOT_FOUND')).toContain('does not exist');
  });

  it('opens with all that its manifests say', async () => {
    const stored = await open(at('step'));
    expect(stored).toMatchObject({ format: 'snapshard', hasDigests: true, step: 12, worldSize: 2, metadata });
    expect(stored.time).toEqual(new Date('2026-11-20T12:00:00Z'));
    expect(stored.digest).toBe(readJson('manifest.json').digest);
    expect(Object.keys(stored.metadata)).toEqual(Object.keys(metadata));
    expect([...stored.sideFiles.keys()]).toEqual(['config.json', 'notes']);
    expect(stored.sideFiles.get('notes')).toEqual({ name: 'notes', bytes: 1, digest: xxh3(Buffer.from('x')) });
    const ofRanks = ['ranks/00000.json', 'ranks/00000.digests', 'ranks/00001.json', 'ranks/00001.digests'];
    expect([...stored.listedFiles.keys()]).toEqual(ofRanks);
    for (const { name, bytes, digest } of stored.listedFiles.values()) {
      const contents = readFileSync(at('step', name));
      expect([contents.length, xxh3(contents)]).toEqual([bytes, digest]);
    }
    expect([...stored.tensors.keys()].sort()).toEqual(['adam', 'big', 'big1', 'empty', 'slices', 'ß"']);
    expect(stored.tensors.get('adam')).toMatchObject({ dtype: 'U8', shape: [7], group: 'optimizer' });
    expect(stored.tensors.get('slices')).toMatchObject({
      shape: [2, 4],
      slices: [{ origin: [0, 0] }, { origin: [1, 0] }],
    });
  });

  it('says where the bytes, and the digests of their chunks, are', async () => {
    const chunkBytes = 2 ** 20;
    await write(chunkBytes);
    const { files, tensors } = await open(at('step'));
    expect(files.map(({ path }) => path)).toEqual([
      'shard-00001-model-00001-of-00001.safetensors',
      'shard-00001-optimizer-00001-of-00001.safetensors',
      'shard-00002-model-00001-of-00001.safetensors',
    ]);
    for (const { name, slices } of tensors.values()) {
      for (const { file, begin, end, digest, firstChunk } of slices) {
        const { path, bytes, headerBytes, chunkDigests } = files[file]!;
        const contents = readFileSync(at('step', path));
        expect(contents.length).toBe(bytes);
        expect(contents.subarray(begin, end).equals(readShard(at('step', path)).get(name)!.bytes)).toBe(true);
        const digests = readFileSync(at('step', chunkDigests!.path)).subarray(chunkDigests!.offset);
        const stored = (chunk: number): string => digests.subarray(chunk * 16, chunk * 16 + 16).toString('hex');
        expect(stored(0)).toBe(xxh3(contents.subarray(0, headerBytes)));
        const chunks = Math.ceil((end - begin) / chunkBytes);
        for (let chunk = 0; chunk < chunks; chunk += 1) {
          const from = begin + chunk * chunkBytes;
          const wanted = xxh3(contents.subarray(from, Math.min(from + chunkBytes, end)));
          expect(stored(firstChunk + chunk)).toBe(wanted);
        }
        expect(digest).toBe(xxh3(digests.subarray(firstChunk * 16, (firstChunk + chunks) * 16)));
      }
    }
  });

  it('opens by any path that leads to it, and stays open until it is closed', async () => {
    symlinkSync('step', at('link'));
    const opened: OpenedCheckpoint = await openStored(`${at('link')}/`);
    expect(opened).toMatchObject({ path: at('link'), followLinks: false, store: { root: at('link') } });
    expect(disk.open.size).toBe(1);
    await opened.store.close();
  });

  it('keeps __proto__ in the metadata as a key', async () => {
    change({ metadata: JSON.parse('{"__proto__":{"polluted":true},"a":1}') as Json });
    const { metadata: found } = await open(at('step'));
    expect(Object.keys(found)).toEqual(['__proto__', 'a']);
    expect('polluted' in found).toBe(false);
  });

  it('is damaged where any byte of a manifest is', async () => {
    for (const name of ['manifest.json', 'ranks/00000.json', 'ranks/00001.json']) {
      const intact = readFileSync(at('step', name));
      for (let position = 0; position < intact.length; position += 101) {
        const bytes = Buffer.from(intact);
        bytes[position]! ^= 1 << (position & 7);
        writeFileSync(at('step', name), bytes);
        expect(await refusal(at('step'), 'ERR_SNAPSHARD_CORRUPT')).toContain(`${at('step')} is damaged: ${name}`);
      }
      for (const length of [0, 1, intact.length - 1]) {
        truncateSync(at('step', name), length);
        expect(await refusal(at('step'), 'ERR_SNAPSHARD_CORRUPT')).toContain(name);
        writeFileSync(at('step', name), intact);
      }
      writeFileSync(at('step', name), Buffer.concat([intact, Buffer.from(' ')]));
      expect(await refusal(at('step'), 'ERR_SNAPSHARD_CORRUPT')).toContain(name);
      writeFileSync(at('step', name), intact);
    }
  });

  it.each(['ranks/00001.json', 'manifest.json'])(
    'is damaged where %s is a directory, a link or missing',
    async (name) => {
      rmSync(at('step', name));
      mkdirSync(at('step', name));
      expect(await refusal(at('step'), 'ERR_SNAPSHARD_CORRUPT')).toContain(`${name} is no regular file`);
      rmSync(at('step', name), { recursive: true });
      symlinkSync('/etc/passwd', at('step', name));
      expect(await refusal(at('step'), 'ERR_SNAPSHARD_CORRUPT')).toContain(`${name} is no regular file`);
      rmSync(at('step', name));
      const code = name === 'manifest.json' ? 'ERR_SNAPSHARD_NOT_FOUND' : 'ERR_SNAPSHARD_CORRUPT';
      expect(await refusal(at('step'), code)).toMatch(/00001.json is missing|never published/);
    },
  );

  it('is of an unsupported version, or of another format, and says so', async () => {
    change({ version: '2.0' });
    expect(await refusal(at('step'), 'ERR_SNAPSHARD_UNSUPPORTED_VERSION')).toContain('"2.0"');
    change({ version: '1.9', somethingNew: { a: [1] } });
    expect((await open(at('step'))).step).toBe(12);
    change({ format: 'other' });
    expect(await refusal(at('step'), 'ERR_SNAPSHARD_UNSUPPORTED_VERSION')).toContain('"other"');
    change({ version: undefined, format: 'snapshard' });
    await refusal(at('step'), 'ERR_SNAPSHARD_UNSUPPORTED_VERSION');
  });

  it('is removed, not damaged, when it goes away while it is read', async () => {
    for (const when of ['readFile manifest.json', 'readFile 00000.json', 'readFile 00001.json']) {
      cpSync(at('step'), at('other'), { recursive: true });
      disk.before = (call, path) => {
        if (path.includes('other') && `${call} ${path.split('/').at(-1)}` === when) {
          rmSync(at('other'), { recursive: true });
          disk.before = () => undefined;
        }
      };
      const message = await refusal(at('other'), 'ERR_SNAPSHARD_NOT_FOUND');
      expect(message).toContain('was removed or replaced while it was read');
    }
  });

  it('is removed, not damaged, when another takes its place while it is read', async () => {
    await writeCheckpoint(at('other'), { step: 12 });
    disk.before = (_call, path) => {
      if (!path.endsWith('00001.json')) return;
      disk.before = () => undefined;
      renameSync(at('step'), at('.dead-1'));
      renameSync(at('other'), at('step'));
    };
    expect(await refusal(at('step'), 'ERR_SNAPSHARD_NOT_FOUND')).toContain('removed or replaced');
  });

  const file = { name: 'x', bytes: 1, digest: '0'.repeat(32) };
  const wrong: [string, Json, RegExp][] = [
    ['a step that is none', { step: -1 }, /`step`/],
    ['a time that is none', { time: 'yesterday' }, /`time`/],
    ['a time that does not exist', { time: '2026-13-01T00:00:00Z' }, /`time`/],
    ['no ranks', { worldSize: 0, ranks: [] }, /`worldSize`/],
    ['fewer ranks than it says', { worldSize: 3 }, /length of `ranks`/],
    ['ranks that are no list', { ranks: {} }, /`ranks`/],
    ['metadata that is a list', { metadata: [] }, /`metadata`/],
    ['a side file outside', { files: [{ ...file, name: '../x' }] }, /plain file name/],
    ['a side file like a shard', { files: [{ ...file, name: 'x.safetensors' }] }, /side file/],
    ['a side file twice', { files: [file, file] }, /each name once/],
    ['a side file without length', { files: [{ ...file, bytes: -1 }] }, /`bytes`/],
    ['a side file without digest', { files: [{ ...file, digest: 'A'.repeat(32) }] }, /`digest`/],
    ['an index that is none', { indexes: [file] }, /"x"/],
    ['an index outside', { indexes: [{ ...file, name: '../x.safetensors.index.json' }] }, /group/],
    ['a save that is none', { save: '../x' }, /`save`/],
    ['side files left out', { files: [] }, /does not list "config.json" as rank 0 wrote it/],
    ['another save', { save: 's2' }, /rank 0 is of another save: its `save` is "s1", but "s2"/],
    ['another step', { step: 13 }, /its `step`/],
  ];

  it.each(wrong)('is damaged with %s in its manifest', async (_, fields, message) => {
    change(fields);
    expect(await refusal(at('step'), 'ERR_SNAPSHARD_CORRUPT')).toMatch(message);
  });

  it('is damaged without any field of its manifest, or with one twice', async () => {
    const text = readFileSync(at('step', 'manifest.json'), 'utf8');
    const { digest: _, ...fields } = JSON.parse(text) as Json;
    for (const field of Object.keys(fields)) {
      const { [field]: __, ...rest } = fields;
      writeFileSync(at('step', 'manifest.json'), seal(rest));
      const unknown = field === 'format' || field === 'version';
      await refusal(at('step'), unknown ? 'ERR_SNAPSHARD_UNSUPPORTED_VERSION' : 'ERR_SNAPSHARD_CORRUPT');
      const twice = `{"${field}":0,${text.slice(1, -46)}`;
      writeFileSync(at('step', 'manifest.json'), `${twice},"digest":"${xxh3(Buffer.from(twice))}"}\n`);
      expect(await refusal(at('step'), 'ERR_SNAPSHARD_CORRUPT')).toContain(`"${field}" twice`);
    }
  });

  it('is damaged where ranks are out of order, twice, or named otherwise', async () => {
    const [first, second] = readJson('manifest.json').ranks as Json[];
    for (const ranks of [
      [second, first],
      [first, first],
      [first, { ...second, rank: 0 }],
      [first, null],
    ]) {
      change({ ranks });
      await refusal(at('step'), 'ERR_SNAPSHARD_CORRUPT');
    }
    for (const [key, name] of [
      ['manifest', '../step/ranks/00001.json'],
      ['digests', 'ranks/00000.digests'],
    ] as const) {
      change({ ranks: [first, { ...second, [key]: { ...(second![key] as Json), name } }] });
      expect(await refusal(at('step'), 'ERR_SNAPSHARD_CORRUPT')).toContain('ranks/00001.');
    }
  });

  it('is damaged where its ranks disagree', async () => {
    const rank = readJson('ranks/00000.json');
    const tensors = rank.tensors as Json[];
    const slices = (fields: Json) =>
      tensors.map((tensor) => (tensor.name === 'slices' ? { ...tensor, ...fields } : tensor));
    const wrongRanks: [Json, RegExp][] = [
      [{ tensors: slices({ dtype: 'I8' }) }, /"slices" disagree on its dtype: "I8" and "U8"/],
      [{ tensors: slices({ globalShape: [3, 4] }) }, /"slices" disagree on its shape: \[3, 4\] and \[2, 4\]/],
      [{ worldSize: 3 }, /its `worldSize` is 3, but 2/],
      [{ digests: { ...(rank.digests as Json), digest: '0'.repeat(32) } }, /`digests.digest`/],
      [{ sideFiles: [{ name: 'more', bytes: 1, digest: '0'.repeat(32) }] }, /does not list "more"/],
    ];
    for (const [fields, message] of wrongRanks) {
      changeRank({ ...rank, ...fields });
      expect(await refusal(at('step'), 'ERR_SNAPSHARD_CORRUPT')).toMatch(message);
    }
  });
});

describe('what is no checkpoint', () => {
  it('is a path that is none', async () => {
    for (const path of ['', 'a\0b', 7, undefined]) await refusal(path as string, 'ERR_SNAPSHARD_INVALID_ARGUMENT');
    expect(await refusal(at('nowhere'), 'ERR_SNAPSHARD_NOT_FOUND')).toContain(at('nowhere'));
    await refusal(at('step', 'manifest.json', 'x'), 'ERR_SNAPSHARD_NOT_A_DIRECTORY');
  });

  it('is a directory without any, and the message says what was looked for', async () => {
    mkdirSync(at('empty'));
    expect(await refusal(at('empty'), 'ERR_SNAPSHARD_NOT_FOUND')).toMatch(/no manifest\.json.*\*\.safetensors.*empty/);
    writeFileSync(at('empty', '.metadata'), '');
    expect(await refusal(at('empty'), 'ERR_SNAPSHARD_NOT_FOUND')).toContain('HuggingFaceStorageWriter');
  });

  it('is a root of checkpoints, and the message names the newest', async () => {
    mkdirSync(at('root', 'step-0000000009'), { recursive: true });
    renameSync(at('step'), at('root', 'step-0000000012'));
    const message = await refusal(at('root'), 'ERR_SNAPSHARD_NOT_FOUND');
    expect(message).toMatch(/2 checkpoints.*latestCheckpoint.*step-0000000012/);
  });

  it('is one that was never published, or is being removed, however whole it looks', async () => {
    for (const name of ['.step-0000000012.abc.partial', '.dead-abc']) {
      renameSync(at('step'), at(name));
      expect(await refusal(at(name), 'ERR_SNAPSHARD_NOT_FOUND')).toContain('never published');
      renameSync(at(name), at('step'));
    }
    rmSync(at('step', 'manifest.json'));
    expect(await refusal(at('step'), 'ERR_SNAPSHARD_NOT_FOUND')).toContain('never published');
  });
});
