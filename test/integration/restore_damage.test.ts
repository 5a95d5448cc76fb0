import { appendFileSync, copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Checkpoint, CheckpointWriter, openCheckpoint, removeCheckpoint, type Published } from 'snapshard';
import { beforeEach, describe, expect, it } from 'vitest';
import { MiB, randomBytes } from '../support/bytes.js';
import { openFiles } from '../support/process_state.js';
import { smallWriter } from '../support/restored.js';
import { seal } from '../support/stored_checkpoint.js';
import { useRoot } from '../support/root.js';

const root = useRoot();
const shard = 'model-00001-of-00001.safetensors';
const digests = 'ranks/00000.digests';
const shapes = { first: [3, MiB], second: [MiB + 100], third: [77], fourth: [256, 256], fifth: [0] };
const tensors = new Map(
  Object.entries(shapes).map(([name, shape]) => [
    name,
    { dtype: 'U8' as const, shape, data: randomBytes(shape.reduce((product, size) => product * size, 1)) },
  ]),
);
let saved: Published;

beforeEach(async () => {
  await using writer = await CheckpointWriter.open(root.path, smallWriter);
  saved = await writer.save({ step: 1, tensors, files: { 'config.json': '{}' } });
});

const pathOf = (file: string): string => join(saved.path, file);
const open = (): Promise<Checkpoint> => openCheckpoint(saved.path, { stagingBytes: 8 * MiB });

/** Flips one bit of a file. */
function flip(file: string, offset: number, bit = 3): void {
  const bytes = readFileSync(pathOf(file));
  bytes[offset]! ^= 1 << bit;
  writeFileSync(pathOf(file), bytes);
}

/** Where a tensor lies in the shard. */
function rangeOf(name: string): [begin: number, end: number] {
  const rank = JSON.parse(readFileSync(pathOf('ranks/00000.json'), 'utf8')) as {
    tensors: { name: string; range: [number, number] }[];
  };
  return rank.tensors.find((tensor) => tensor.name === name)!.range;
}

const corrupt = (pattern: RegExp): unknown =>
  expect.objectContaining({ code: 'ERR_SNAPSHARD_CORRUPT', message: expect.stringMatching(pattern) as string });

describe('a flipped bit', () => {
  it('is detected by every way to read its tensor, and by no other', async () => {
    const [begin] = rangeOf('first');
    flip(shard, begin + 2 * MiB + 5);
    await using checkpoint = await open();
    const told = new RegExp(`"first" is damaged: 1 of its chunks .* ${shard} at byte ${begin + 2 * MiB}`);
    await expect(checkpoint.read('first')).rejects.toEqual(corrupt(told));
    await expect(checkpoint.readAll()).rejects.toEqual(corrupt(told));
    await expect(checkpoint.readInto({ first: new Uint8Array(3 * MiB) })).rejects.toEqual(corrupt(told));
    await expect(checkpoint.read('first', { origin: [2, 0], shape: [1, 1] })).rejects.toEqual(corrupt(told));
    const pieces: number[] = [];
    const stream = (async () => {
      for await (const piece of checkpoint.stream('first', { chunkBytes: MiB })) pieces.push(piece.length);
    })();
    await expect(stream).rejects.toEqual(corrupt(told));
    expect(pieces).toEqual([MiB, MiB]);
    const sound = await checkpoint.read('first', { origin: [0, 0], shape: [2, MiB] });
    expect(sound.verified).toBe(true);
    expect((await checkpoint.read('second')).verified).toBe(true);
    expect((await checkpoint.read('first', {}, { verify: false })).verified).toBe(false);
    expect((await checkpoint.verify()).damaged).toEqual([
      { file: shard, offset: begin + 2 * MiB, bytes: MiB, tensor: 'first', reason: 'it is not what was saved' },
    ]);
  });

  it('anywhere in a shard is detected, and the right tensor named', { timeout: 120_000 }, async () => {
    const bytes = readFileSync(pathOf(shard));
    const ranges = [...tensors.keys()].map((name) => ({ name, range: rangeOf(name) }));
    await using checkpoint = await open();
    for (let trial = 0; trial < 200; trial += 1) {
      const inHeader = trial % 4 === 0;
      const offset = Math.floor(Math.random() * (inHeader ? 4096 : bytes.length));
      const bit = trial % 8;
      bytes[offset]! ^= 1 << bit;
      await patch(offset, bytes[offset]!);
      const owner = ranges.find(({ range: [begin, end] }) => begin <= offset && offset < end)?.name;
      const { damaged } = await checkpoint.verify();
      expect(new Set(damaged.map(({ tensor }) => tensor)), `bit ${bit} of byte ${offset}`).toEqual(new Set([owner]));
      if (owner !== undefined) await expect(checkpoint.read(owner)).rejects.toEqual(corrupt(new RegExp(`"${owner}"`)));
      bytes[offset]! ^= 1 << bit;
      await patch(offset, bytes[offset]!);
    }
    expect((await checkpoint.verify()).damaged).toEqual([]);
  });

  it('in the digests is told from one in the data', async () => {
    await using checkpoint = await open();
    const firstChunk = firstChunkOf('first');
    flip(digests, firstChunk * 16 + 20);
    expect((await checkpoint.read('first')).verified).toBe(true);
    const part = checkpoint.read('first', { origin: [0, 0], shape: [1, 5] });
    await expect(part).rejects.toEqual(corrupt(/"first" cannot be checked.* ranks\/00000.digests are damaged/));
    const { damaged } = await checkpoint.verify();
    expect(damaged.map(({ file, tensor }) => [file, tensor])).toEqual([[digests, undefined]]);
  });

  it('in a small file is listed', async () => {
    await using checkpoint = await open();
    for (const file of ['config.json', 'model.safetensors.index.json', 'ranks/00000.json', 'manifest.json']) {
      flip(file, 1);
      const { damaged } = await checkpoint.verify();
      expect(damaged.map((damage) => damage.file)).toEqual([file]);
      flip(file, 1);
    }
    flip('config.json', 0);
    await expect(checkpoint.file('config.json')).rejects.toEqual(corrupt(/config\.json/));
    expect(await checkpoint.file('config.json', { verify: false })).toHaveLength(2);
  });
});

/** Writes one byte in place. */
async function patch(offset: number, byte: number): Promise<void> {
  const file = await openFile(pathOf(shard), 'r+');
  await file.write(Uint8Array.of(byte), 0, 1, offset);
  await file.close();
}

/** Which chunk of the shard is the first of a tensor. */
function firstChunkOf(name: string): number {
  const rank = JSON.parse(readFileSync(pathOf('ranks/00000.json'), 'utf8')) as {
    tensors: { name: string; range: [number, number] }[];
  };
  let firstChunk = 1;
  for (const tensor of rank.tensors) {
    if (tensor.name === name) break;
    firstChunk += Math.ceil((tensor.range[1] - tensor.range[0]) / MiB);
  }
  return firstChunk;
}

describe('files', () => {
  it('that end early are listed with what they lack, and fail reads of that only', async () => {
    const [begin, end] = rangeOf('first');
    await using checkpoint = await open();
    truncateSync(pathOf(shard), begin + MiB + 1);
    const { damaged } = await checkpoint.verify();
    expect(damaged).toContainEqual({
      file: shard,
      offset: begin + MiB + 1,
      bytes: end - begin - MiB - 1,
      tensor: 'first',
      reason: `the file ends at byte ${begin + MiB + 1}`,
    });
    await expect(checkpoint.read('first')).rejects.toEqual(corrupt(/ends before it should/));
    expect((await checkpoint.read('first', { origin: [0, 0], shape: [1, MiB] })).verified).toBe(true);
  });

  it('that are missing or too long are listed', async () => {
    await using checkpoint = await open();
    appendFileSync(pathOf(shard), 'x');
    appendFileSync(pathOf('config.json'), 'x');
    expect((await checkpoint.verify()).damaged.map(({ file, reason }) => [file, reason])).toEqual([
      ['config.json', 'the file is longer than 2 bytes'],
      [shard, 'the file is longer than it was'],
    ]);
    await expect(checkpoint.file('config.json')).rejects.toEqual(corrupt(/is longer than it should be.*config\.json/));
    for (const file of [shard, 'config.json', digests]) rmSync(pathOf(file));
    const { damaged } = await checkpoint.verify();
    expect(damaged.every(({ reason }) => reason === 'the file is missing')).toBe(true);
    const named = new Set(damaged.map(({ file, tensor }) => (file === shard ? tensor : file)));
    expect(named).toEqual(new Set([undefined, 'first', 'second', 'third', 'fourth', 'config.json', digests]));
    await expect(checkpoint.read('third')).rejects.toEqual(corrupt(/is missing/));
  });

  it('whose header is another are found out, though nothing else has changed', async () => {
    await using checkpoint = await open();
    const bytes = readFileSync(pathOf(shard));
    const header = bytes.toString('latin1', 0, 4096).replace('"third"', '"thirt"');
    writeFileSync(pathOf(shard), Buffer.concat([Buffer.from(header, 'latin1'), bytes.subarray(4096)]));
    const { damaged } = await checkpoint.verify();
    expect(damaged).toEqual([
      expect.objectContaining({ file: shard, offset: 0, bytes: 4096, tensor: undefined }) as unknown,
    ]);
  });

  it('of a checkpoint that was removed or replaced are not called damaged', async () => {
    await using checkpoint = await open();
    await removeCheckpoint(root.path, 1);
    await expect(checkpoint.read('first')).rejects.toMatchObject({
      code: 'ERR_SNAPSHARD_NOT_FOUND',
      message: expect.stringMatching(/removed or replaced/) as string,
    });
    await expect(checkpoint.verify()).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_NOT_FOUND' });
  });

  it('are read on through their directory when it is renamed', async () => {
    await using checkpoint = await open();
    renameSync(saved.path, join(root.path, 'moved'));
    expect((await checkpoint.read('second')).verified).toBe(true);
  });
});

it('names what no slice of a folder holds, when a shard of one rank is missing', async () => {
  const ranked = join(root.path, 'ranked');
  const partial = join(root.path, 'partial');
  mkdirSync(ranked);
  mkdirSync(partial);
  const paths = await Promise.all(
    [0, 1, 2].map(async (rank) => {
      await using writer = await CheckpointWriter.open(ranked, { ...smallWriter, rank, worldSize: 3, runId: 'gap' });
      const slice = { shape: [2, 8], globalShape: [6, 8], origin: [2 * rank, 0] };
      const w = { dtype: 'U8' as const, ...slice, data: randomBytes(16) };
      return (await writer.save({ step: 1, tensors: { w } })).path;
    }),
  );
  for (const rank of [1, 3]) {
    const name = `shard-0000${rank}-model-00001-of-00001.safetensors`;
    copyFileSync(join(paths[0]!, name), join(partial, name));
  }
  await using whole = await openCheckpoint(paths[0]!);
  expect((await whole.verify()).damaged).toEqual([]);
  await using gapped = await openCheckpoint(partial);
  const { damaged } = await gapped.verify();
  expect(damaged.map(({ tensor, reason }) => `${tensor}: ${reason}`)).toEqual(['w: no slice holds [2:4, 0:8]']);
});

it('has no file of a folder open any more that it refused', async () => {
  const folder = join(root.path, 'broken');
  mkdirSync(folder);
  // Long headers, which are still being read when the first is found out.
  const header = Buffer.from('{}'.padEnd(16 * MiB));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  for (const name of ['b', 'c', 'd']) writeFileSync(join(folder, `${name}.safetensors`), Buffer.concat([length, header]));
  writeFileSync(join(folder, 'a.safetensors'), 'short');
  for (let round = 0; round < 5; round += 1) {
    await expect(openCheckpoint(folder)).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_CORRUPT' });
    expect(openFiles().filter((path) => path.startsWith(`${folder}/`))).toEqual([]);
  }
});

/** Writes the manifest anew, with another length for the side file, which is as long, and has nothing in it. */
function lengthen(bytes: number): void {
  const manifest = JSON.parse(readFileSync(pathOf('manifest.json'), 'utf8')) as { files: { bytes: number }[] };
  manifest.files[0]!.bytes = bytes;
  writeFileSync(pathOf('manifest.json'), seal(manifest));
  truncateSync(pathOf('config.json'), bytes);
}

describe('a side file of which nobody has the memory', () => {
  it('is refused with the manifest that lists it', async () => {
    lengthen(2 ** 43);
    await expect(open()).rejects.toEqual(corrupt(/`bytes` of one of `files`/));
  });

  it('is hashed piece by piece', async () => {
    lengthen(2 ** 29);
    await using checkpoint = await open();
    const before = process.memoryUsage.rss();
    const { damaged } = await checkpoint.verify();
    expect(damaged.map(({ file, reason }) => [file, reason])).toContainEqual(['config.json', 'it is not what was saved']);
    expect(process.memoryUsage.rss() - before).toBeLessThan(2 ** 28);
  });

  it('is handed out as it is, where there is room', async () => {
    lengthen(2 ** 26);
    await using checkpoint = await open();
    await expect(checkpoint.file('config.json')).rejects.toEqual(corrupt(/is not what was saved/));
    const contents = await checkpoint.file('config.json', { verify: false });
    expect(contents.length).toBe(2 ** 26);
    expect(Buffer.from(contents.buffer, 0, 2).toString()).toBe('{}');
  });
});
