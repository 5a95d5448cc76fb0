import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { XXHash128 } from 'xxhash-addon';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkCheckpoint } from '../../examples/check.js';
import { type ListedFile, type RankFiles, encodeManifest } from '../../lib/layout/manifest.js';
import { rankDigestsName, rankManifestName } from '../../lib/layout/names.js';
import { buildPlan } from '../../lib/layout/plan.js';
import { fillRankManifest } from '../../lib/layout/rank_manifest.js';
import { normalizeTensors } from '../../lib/tensor/normalize.js';
import { patternBytes } from './tensor_arbitraries.js';

type Tensors = Record<string, { dtype: string; shape: number[]; globalShape?: number[]; origin?: number[] }>;

interface Rank {
  tensors: Tensors;
  sideFiles?: Record<string, string>;
  /** What its manifest says instead, with an intact digest all the same. */
  instead?: object;
}

const worldSize = 3;
const hash = (bytes: Uint8Array): Buffer => XXHash128.hash(Buffer.from(bytes));
const digest = (bytes: Uint8Array): string => hash(bytes).toString('hex');

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'snapshard-check-'));
  await mkdir(join(directory, 'ranks'));
});
afterEach(() => rm(directory, { recursive: true }));

async function write(name: string, bytes: Uint8Array): Promise<ListedFile> {
  await writeFile(join(directory, name), bytes);
  return { name, bytes: bytes.length, digest: digest(bytes) };
}

/** Writes the shards of a rank; no tensor is larger than a chunk. */
async function writeShards(rank: number, tensors: Tensors) {
  const sources = Object.entries(tensors).map(([name, tensor]) => {
    const bytes = tensor.shape.reduce((product, size) => product * size, 1);
    return [name, { ...tensor, data: new Uint8Array(bytes) }] as const;
  });
  const { specs } = normalizeTensors(sources as never, () => undefined, [], { rank, worldSize });
  const plan = buildPlan(specs, { shardBytes: Infinity, rank, worldSize });
  const slices = plan.sliceSpecs.map(({ bytes }, index) => patternBytes(bytes, index + rank));
  const chunksOf = (data: Uint8Array): Buffer => (data.length > 0 ? hash(data) : Buffer.alloc(0));
  const chunks = plan.files.map(({ header, firstSlice, sliceCount }) => {
    return Buffer.concat([hash(header), ...slices.slice(firstSlice, firstSlice + sliceCount).map(chunksOf)]);
  });
  for (const { path, header, firstSlice, sliceCount } of plan.files) {
    await write(path, Buffer.concat([header, ...slices.slice(firstSlice, firstSlice + sliceCount)]));
  }
  const sliceDigests = Buffer.concat(slices.map((data) => hash(chunksOf(data))));
  return { plan, sliceDigests, fileDigests: Buffer.concat(chunks.map(hash)), chunkDigests: Buffer.concat(chunks) };
}

async function writeRank(rank: number, { tensors, sideFiles = {}, instead = {} }: Rank) {
  const { plan, chunkDigests, ...digests } = await writeShards(rank, tensors);
  const brought: ListedFile[] = [];
  for (const [name, text] of Object.entries(sideFiles)) brought.push(await write(name, Buffer.from(text)));
  const listed = await write(rankDigestsName(rank), chunkDigests);
  const facts = { writer: `w${rank}`, step: 1, save: 'nonce1', worldSize, sideFiles: brought, digests: listed };
  const bytes = await fillRankManifest(plan, { ...facts, ...digests }, digest);
  const { digest: _, ...fields } = { ...(JSON.parse(Buffer.from(bytes).toString()) as { digest: string }), ...instead };
  const text = JSON.stringify(fields).slice(0, -1);
  const sealed = Buffer.from(`${text},"digest":"${digest(Buffer.from(text))}"}\n`);
  return { sideFiles: brought, files: { rank, manifest: await write(rankManifestName(rank), sealed), digests: listed } };
}

async function writeWorld(ranks: readonly Rank[], sideFiles?: readonly ListedFile[]): Promise<void> {
  const files: RankFiles[] = [];
  const brought = new Map<string, ListedFile>();
  for (const [number, rank] of ranks.entries()) {
    const written = await writeRank(number, rank);
    files.push(written.files);
    for (const file of written.sideFiles) brought.set(file.name, file);
  }
  const facts = { step: 1, time: new Date(), worldSize, metadata: '{}', save: 'nonce1', indexes: [] };
  const manifest = encodeManifest({ ...facts, ranks: files, files: sideFiles ?? [...brought.values()] }, digest);
  await write('manifest.json', manifest.bytes);
}

const row = (rank: number) => ({ dtype: 'U8', shape: [2, 5], globalShape: [6, 5], origin: [2 * rank, 0] });
const world = (): [Rank, Rank, Rank] => [
  { tensors: { rows: row(0), scalar: { dtype: 'U8', shape: [] } }, sideFiles: { 'config.json': '{}' } },
  { tensors: { rows: row(1), own: { dtype: 'U8', shape: [7] } }, sideFiles: { 'config.json': '{}', rng: 'x' } },
  { tensors: { rows: row(2) } },
];
const check = () => checkCheckpoint(directory);

describe('the checker of a checkpoint of several ranks', () => {
  it('passes it, and finds each change of each file', async () => {
    await writeWorld(world());
    expect(await check()).toMatchObject({ files: 12, tensors: 3, chunks: 8 });
    for (const name of await readdir(directory, { recursive: true })) {
      if (name === 'ranks') continue;
      const good = await readFile(join(directory, name));
      for (const at of [0, good.length >> 1, good.length - 1]) {
        const bad = Buffer.from(good);
        bad[at]! ^= 1;
        await writeFile(join(directory, name), bad);
        await expect(check(), `${name} at ${at}`).rejects.toThrow(name.split('/').at(-1));
      }
      await writeFile(join(directory, name), good);
    }
    await check();
  });

  it.each([
    ['a part that is missing', [{}, { tensors: {} }, {}], '20 of the 30 elements of rows'],
    ['a part that is there twice', [{}, { tensors: { rows: row(0) } }, {}], 'two slices of rows overlap'],
    ['a whole copy of another rank', [{}, {}, { tensors: { rows: row(2), scalar: { dtype: 'U8', shape: [] } } }], 'overlap'],
    ['another dtype', [{}, {}, { tensors: { rows: { ...row(2), dtype: 'I8' } } }], 'disagree'],
    ['another group', [{}, {}, { tensors: { rows: { ...row(2), group: 'other' } } }], 'disagree'],
    ['a manifest of another save', [{}, { instead: { save: 'nonce2' } }, {}], '00001.json: its save is nonce2'],
    ['a manifest of another step', [{}, { instead: { step: 2 } }, {}], '00001.json: its step is 2'],
    ['a manifest of a larger world', [{}, { instead: { worldSize: 4 } }, {}], '00001.json: its worldSize is 4'],
    ['a manifest of another rank', [{}, { instead: { rank: 2 } }, {}], '00001.json: it is that of rank 2'],
    ['a side file that is not listed', [{}, {}, { instead: { sideFiles: [{ name: 'x', bytes: 0, digest: '' }] } }], 'lists x'],
    ['a side file that differs', [{}, { sideFiles: { 'config.json': '[]' } }, {}], 'lists config.json'],
    ['digests of another file', [{}, {}, { instead: { digests: { name: 'x', bytes: 0, digest: '' } } }], 'another x'],
  ] as [string, Partial<Rank>[], string][])('finds %s', async (_, changes, message) => {
    const changed = world().map((rank, index) => ({ ...rank, ...changes[index] }));
    await writeWorld(changed);
    await expect(check()).rejects.toThrow(message);
  });

  it('finds a side file that no rank brought', async () => {
    await writeWorld(world(), [await write('more', Buffer.from('x'))]);
    await expect(check()).rejects.toThrow('manifest.json');
  });
});
