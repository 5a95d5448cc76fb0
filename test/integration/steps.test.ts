import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { CheckpointWriter, removeCheckpoint, type Published, type PublishedMessage, type TensorInput } from 'snapshard';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkCheckpoint } from '../../examples/check.js';
import { KiB, MiB, randomBytes } from '../support/bytes.js';
import { readShard, readTensors, shardsOf } from '../support/read_back.js';
import { countsTicks } from '../support/process_state.js';
import { namesIn, useRoot } from '../support/root.js';

const root = useRoot();
let writer: CheckpointWriter;

beforeEach(async () => {
  writer = await CheckpointWriter.open(root.path, { stagingBytes: 16 * MiB, blockBytes: MiB });
});

afterEach(() => writer.close());

function manifestOf(saved: Published): Record<string, unknown> {
  return JSON.parse(readFileSync(join(saved.path, 'manifest.json'), 'utf8')) as Record<string, unknown>;
}

describe('a published checkpoint', () => {
  it('tells what it is, and passes the check', async () => {
    const data = randomBytes(5 * MiB);
    const save = writer.save({ step: 12, tensors: { data } });
    await save.staged;
    data.fill(0);
    const saved = await save;
    expect(saved).toMatchObject({
      path: join(root.path, 'step-0000000012'),
      step: 12,
      files: ['model-00001-of-00001.safetensors'],
      bytes: 5 * MiB + 4096,
    });
    expect(readFileSync(join(saved.path, 'manifest.json'), 'utf8').endsWith(`,"digest":"${saved.digest}"}\n`)).toBe(true);
    const { stagedSeconds, writtenSeconds, durableSeconds, publishedSeconds, cpuSeconds } = saved.timings;
    const inOrder = [0, writtenSeconds, durableSeconds, publishedSeconds];
    expect(inOrder).toEqual([...inOrder].sort((a, b) => a - b));
    // The clock is read beside the last write, so that it may tell of the two in either order.
    expect(stagedSeconds).toBeGreaterThan(0);
    expect(stagedSeconds).toBeLessThan(durableSeconds);
    if (!countsTicks()) expect(cpuSeconds).toBeGreaterThan(0);
    expect(readTensors(saved.path).get('data')!.bytes.every((byte) => byte === 0)).toBe(false);
    await checkCheckpoint(saved.path);
  });

  it('is told on the diagnostics channel', async () => {
    const messages: unknown[] = [];
    const listen = (message: unknown): void => void messages.push(message);
    subscribe('snapshard:save:published', listen);
    const published = await writer.save({ step: 1, tensors: {} });
    unsubscribe('snapshard:save:published', listen);
    expect(messages).toEqual([{ root: root.path, published } satisfies PublishedMessage]);
  });

  it('holds metadata and side files as they were at the call', async () => {
    const metadata = { epoch: 3, loss: 1.92, nested: { list: [1, null, 'ü'] } };
    const state = randomBytes(100 * KiB);
    const copy = state.slice();
    const files = { 'config.json': '{"ü": 1}', 'rng.bin': state, empty: '' };
    const save = writer.save({ step: 1, tensors: { a: new Uint8Array(9) }, metadata, files });
    metadata.nested.list.push('changed');
    state.fill(0);
    const saved = await save;
    expect(manifestOf(saved).metadata).toEqual({ epoch: 3, loss: 1.92, nested: { list: [1, null, 'ü'] } });
    expect(readFileSync(join(saved.path, 'config.json'), 'utf8')).toBe('{"ü": 1}');
    expect(readFileSync(join(saved.path, 'rng.bin')).equals(copy)).toBe(true);
    expect(readFileSync(join(saved.path, 'empty'))).toHaveLength(0);
    await checkCheckpoint(saved.path);
  });

  it.each([
    ['a Map', new Map<string, string | Uint8Array>([['config.json', '{}'], ['rng.bin', Uint8Array.of(1, 2)]])],
    ['an iterable', [['config.json', '{}'], ['rng.bin', Uint8Array.of(1, 2)]] as const],
  ])('takes side files as %s', async (_, files) => {
    const saved = await writer.save({ step: 1, tensors: {}, files });
    expect(readFileSync(join(saved.path, 'config.json'), 'utf8')).toBe('{}');
    expect([...readFileSync(join(saved.path, 'rng.bin'))]).toEqual([1, 2]);
  });

  it('has files of its own for each group, of shardBytes at most', async () => {
    const tensors = new Map<string, TensorInput>();
    for (let index = 0; index < 6; index++) tensors.set(`w${index}`, new Uint8Array(MiB).fill(index));
    tensors.set('m', { dtype: 'F32', shape: [16], data: new Float32Array(16), group: 'optimizer' });
    await using small = await CheckpointWriter.open(root.path, { stagingBytes: 8 * MiB, shardBytes: 2 * MiB });
    const saved = await small.save({ step: 1, tensors });
    const shards = ['1', '2', '3'].map((number) => `model-0000${number}-of-00003.safetensors`);
    expect(shardsOf(saved.path)).toEqual([...shards, 'optimizer-00001-of-00001.safetensors']);
    const index = JSON.parse(readFileSync(join(saved.path, 'model.safetensors.index.json'), 'utf8')) as {
      weight_map: Record<string, string>;
    };
    expect(Object.keys(index.weight_map).sort()).toEqual(['w0', 'w1', 'w2', 'w3', 'w4', 'w5']);
    for (const [name, shard] of Object.entries(index.weight_map)) {
      expect(readShard(join(saved.path, shard)).get(name)!.bytes[0]).toBe(Number(name.slice(1)));
    }
    await checkCheckpoint(saved.path);
  });

  it('holds a tensor in slices as PyTorch DCP does', async () => {
    const rows = randomBytes(8 * 4);
    const slice = (origin: number): [string, TensorInput] => [
      'w',
      { dtype: 'U8', shape: [4, 4], globalShape: [8, 4], origin: [origin, 0], data: rows.subarray(origin * 4, origin * 4 + 16) },
    ];
    const saved = await writer.save({ step: 1, tensors: [slice(4), slice(0)] });
    expect(shardsOf(saved.path)).toEqual([1, 2].map((file) => `shard-00001-model-0000${file}-of-00002.safetensors`));
    const stored = shardsOf(saved.path).map((name) => readShard(join(saved.path, name)).get('w')!.bytes);
    expect(stored.map((bytes) => bytes.toString('hex')).sort()).toEqual(
      [rows.subarray(0, 16), rows.subarray(16)].map((bytes) => Buffer.from(bytes).toString('hex')).sort(),
    );
    await checkCheckpoint(saved.path);
  });
});

describe('steps', () => {
  it('are saved in the order asked for, sharing one pool', async () => {
    const data = [1, 2, 3, 4].map((step) => new Uint8Array(10 * MiB).fill(step));
    const finished: number[] = [];
    const saves = data.map((bytes, index) => {
      const save = writer.save({ step: index, tensors: { bytes } });
      void save.then(() => finished.push(index));
      return save;
    });
    for (const [index, save] of saves.entries()) {
      const saved = await save;
      expect(readTensors(saved.path).get('bytes')!.bytes.every((byte) => byte === index + 1)).toBe(true);
    }
    expect(finished).toEqual([0, 1, 2, 3]);
  });

  it('are saved by several writers of one process, into one root', async () => {
    await using other = await CheckpointWriter.open(root.path, { stagingBytes: 16 * MiB, blockBytes: 2 * MiB });
    const data = randomBytes(20 * MiB);
    const saved = await Promise.all(
      [1, 2, 3, 4, 5, 6].map((step) => (step % 2 ? writer : other).save({ step, tensors: { data } })),
    );
    for (const { path } of saved) expect(readTensors(path).get('data')!.bytes.equals(data)).toBe(true);
    expect(namesIn(root.path)).toHaveLength(6);
  });

  it('that exist are refused, and replaced when that is asked for', async () => {
    await writer.save({ step: 1, tensors: { a: new Uint8Array(5).fill(1) } });
    const again = writer.save({ step: 1, tensors: { a: new Uint8Array(5).fill(2) } });
    await expect(again).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_STEP_EXISTS' });
    expect(namesIn(root.path)).toEqual(['step-0000000001']);
    const replaced = await writer.save({ step: 1, tensors: { a: new Uint8Array(5).fill(3) }, overwrite: true });
    expect(replaced.path).toBe(join(root.path, 'step-0000000001.g2'));
    expect(readTensors(replaced.path).get('a')!.bytes[0]).toBe(3);
    await checkCheckpoint(replaced.path);
    const next = await writer.save({ step: 1, tensors: {}, overwrite: true });
    await writer.close();
    expect(namesIn(root.path)).toEqual(['step-0000000001.g3']);
    expect(next.path).toMatch(/\.g3$/);
  });

  it('go when they are removed, and only they', async () => {
    for (const step of [1, 10]) await writer.save({ step, tensors: { a: new Uint8Array(5) } });
    await writer.save({ step: 1, tensors: {}, overwrite: true });
    await removeCheckpoint(root.path, 1);
    expect(namesIn(root.path).filter((name) => name.startsWith('step'))).toEqual(['step-0000000010']);
    await expect(removeCheckpoint(root.path, 1)).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_NOT_FOUND' });
    await writer.save({ step: 1, tensors: {} });
  });

  it('may be as large as a safe integer', async () => {
    const saved = await writer.save({ step: Number.MAX_SAFE_INTEGER, tensors: {} });
    expect(saved.path).toBe(join(root.path, 'step-9007199254740991'));
  });
});

describe('progress', () => {
  it('goes up to the bytes of the shards, and ends', async () => {
    const save = writer.save({ step: 1, tensors: { data: randomBytes(200 * MiB) } });
    const seen = [];
    for await (const progress of save.progress()) seen.push(progress);
    const { bytes } = await save;
    expect(seen.at(-1)).toEqual({ phase: 'published', stagedBytes: bytes, writtenBytes: bytes, totalBytes: bytes });
    const written = seen.map(({ writtenBytes }) => writtenBytes);
    expect(written).toEqual([...written].sort((a, b) => a - b));
  });
});
