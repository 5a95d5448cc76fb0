import {
  closeSync,
  openSync,
  readFileSync,
  readSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { CheckpointWriter, fileSource, type TensorInput } from 'snapshard';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkCheckpoint } from '../../examples/check.js';
import { GiB, MiB, randomBytes } from '../support/bytes.js';
import { readTensors, shardsOf } from '../support/read_back.js';
import { useRoot } from '../support/root.js';

const root = useRoot();
let writer: CheckpointWriter;

beforeEach(async () => {
  writer = await CheckpointWriter.open(root.path, { stagingBytes: 16 * MiB });
});

afterEach(() => writer.close());

describe('sizes', () => {
  it('no tensors: a checkpoint with no shard', async () => {
    const saved = await writer.save({ step: 1, tensors: {} });
    expect(saved).toMatchObject({ bytes: 0, files: [] });
    expect(shardsOf(saved.path)).toEqual([]);
    await checkCheckpoint(saved.path);
  });

  it('only empty tensors, and scalars', async () => {
    const tensors: Record<string, TensorInput> = {
      none: new Float32Array(),
      empty: { dtype: 'BF16', shape: [3, 0, 5], data: new Uint16Array() },
      scalar: { dtype: 'F64', shape: [], data: new Float64Array([Math.PI]) },
    };
    for (const chosen of [{ none: tensors.none!, empty: tensors.empty! }, tensors]) {
      const saved = await writer.save({ step: 1, tensors: chosen, overwrite: true });
      const stored = readTensors(saved.path);
      expect(stored.get('empty')).toEqual({ dtype: 'BF16', shape: [3, 0, 5], bytes: Buffer.alloc(0) });
      if (chosen === tensors) expect(stored.get('scalar')!.bytes.readDoubleLE()).toBe(Math.PI);
      await checkCheckpoint(saved.path);
    }
  });

  it('100,000 tiny tensors, and a second save that needs no new plan', async () => {
    const tensors = new Map<string, TensorInput>();
    for (let index = 0; index < 100_000; index++) tensors.set(`layers.${index}.bias`, new Int32Array([index, -index]));
    const first = await writer.save({ step: 1, tensors });
    await writer.save({ step: 2, tensors });
    const stored = readTensors(first.path);
    expect(stored.size).toBe(100_000);
    expect(stored.get('layers.77777.bias')!.bytes.readInt32LE(4)).toBe(-77_777);
    expect(readFileSync(join(first.path, 'ranks/00000.digests')).length).toBe(100_001 * 16);
    await checkCheckpoint(first.path);
  });

  it('a tensor larger than stagingBytes, through the smallest pool', async () => {
    const data = randomBytes(200 * MiB + 3);
    await using small = await CheckpointWriter.open(root.path, { stagingBytes: 2 * MiB, blockBytes: MiB });
    const saved = await small.save({ step: 1, tensors: { data } });
    expect(readTensors(saved.path).get('data')!.bytes.equals(data)).toBe(true);
  });

  it('a tensor larger than 4 GiB, from a file and from a list of views', async (context) => {
    const bytes = 4 * GiB + 5 * MiB + 1;
    const { bavail, bsize } = statfsSync(root.path);
    if (bavail * bsize < 3 * bytes) context.skip(`${root.path} has no room for two tensors larger than 4 GiB`);
    const path = join(root.path, 'sparse.bin');
    writeFileSync(path, '');
    truncateSync(path, bytes);
    const marks = [0, 2 ** 31, 2 ** 32 - 1, 2 ** 32, bytes - 1];
    const source = openSync(path, 'r+');
    for (const [index, at] of marks.entries()) writeSync(source, Uint8Array.of(index + 1), 0, 1, at);
    closeSync(source);
    await using large = await CheckpointWriter.open(root.path, { stagingBytes: 128 * MiB });
    const part = new Uint8Array(64 * MiB + 1).fill(9);
    const parts = Array<Uint8Array>(65).fill(part);
    const tensors: Record<string, TensorInput> = {
      file: { dtype: 'U8', shape: [bytes], data: fileSource({ path, bytes }), group: 'file' },
      list: { dtype: 'U8', shape: [65, part.length], data: parts, group: 'list' },
    };
    const saved = await large.save({ step: 1, tensors });
    expect(saved.bytes).toBe(2 * 4096 + bytes + 65 * part.length);
    const shard = join(saved.path, 'file-00001-of-00001.safetensors');
    expect(statSync(shard).size).toBe(4096 + bytes);
    const stored = openSync(shard, 'r');
    const found = marks.map((at) => {
      const byte = new Uint8Array(1);
      readSync(stored, byte, 0, 1, 4096 + at);
      return byte[0];
    });
    closeSync(stored);
    expect(found).toEqual([1, 2, 3, 4, 5]);
  });
});
