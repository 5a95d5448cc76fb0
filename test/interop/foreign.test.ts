import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from 'snapshard';
import { cutAlong, type Part, partOf } from '../support/restored.js';
import { writeForeign, type OracleTensor } from './oracle.js';
import { bitsOf, makeScratch, sha256 } from './trees.js';

const ranks = 3;
const scratch = makeScratch();
let written: Awaited<ReturnType<typeof writeForeign>>;

beforeAll(async () => {
  written = await writeForeign(scratch.root, ranks);
});
afterAll(() => {
  scratch.remove();
});

/** What Snapshard reads, of all tensors, described as the library describes it that wrote them. */
async function readBack(path: string) {
  await using checkpoint = await openCheckpoint(join(scratch.root, path));
  const { format, hasDigests, metadata } = checkpoint;
  const slices = new Map([...checkpoint.tensors].map(([name, tensor]) => [name, tensor.slices.length]));
  const tensors: Record<string, OracleTensor> = {};
  for (const [name, { dtype, shape, data, verified }] of await checkpoint.readAll()) {
    expect(verified).toBe(false);
    tensors[name] = { dtype, shape: [...shape], sha256: sha256(data) };
  }
  return { format, hasDigests, metadata, slices, tensors };
}

/** Parts that lie across any that were saved. */
function partsOf(shape: readonly number[]): Part[] {
  const middle = { origin: shape.map((size) => size >> 2), shape: shape.map((size) => size >> 1) };
  return [middle, ...shape.flatMap((_, dimension) => [2, 5].flatMap((parts) => cutAlong(shape, dimension, parts)))];
}

describe('what others wrote', () => {
  it.each([
    ['lone.safetensors', 'safetensors'],
    ['single', 'huggingface'],
    ['cache/models--x/snapshots/main', 'huggingface'],
    ['sharded', 'dcp'],
    ['consolidated', 'huggingface'],
    ['consolidated/sharded', 'dcp'],
  ])('is read byte for byte: %s', async (path, format) => {
    const read = await readBack(path);
    expect(read).toMatchObject({ format, hasDigests: false });
    expect(read.tensors).toEqual(written[path]);
    expect(Object.keys(read.tensors).length).toBeGreaterThan(3);
  });

  it('has the metadata of safetensors', async () => {
    expect((await readBack('lone.safetensors')).metadata).toEqual({ format: 'pt', epoch: '3' });
    expect((await readBack('sharded')).metadata).toEqual({ format: 'pt', DCP_VERSION: '1.0' });
  });

  it('is in slices where several processes of PyTorch saved it', async () => {
    const { slices } = await readBack('sharded');
    expect(new Set(slices.values())).toEqual(new Set([1, ranks]));
    expect(slices.get('scalar')).toBe(1);
  });

  it.each(['sharded', 'consolidated', 'lone.safetensors'])('is read in other parts than it was saved in: %s', async (path) => {
    await using checkpoint = await openCheckpoint(join(scratch.root, path));
    for (const [name, { dtype, shape }] of checkpoint.tensors) {
      const { data } = await checkpoint.read(name);
      expect(sha256(data)).toBe(written[path]![name]!.sha256);
      const wanted = partsOf(shape).map((part) => {
        const expected = partOf(data, bitsOf[dtype] / 8, shape, part);
        return { part, expected, memory: new Uint8Array(expected.length) };
      });
      await checkpoint.readInto(wanted.map(({ part, memory }) => [name, { data: memory, ...part }] as const));
      for (const { part, expected, memory } of wanted) {
        expect(expected.equals(memory), `${name} ${JSON.stringify(part)}`).toBe(true);
      }
    }
  });

  it('lacks what a process wrote whose file is not there', async () => {
    rmSync(join(scratch.root, 'sharded', 'shard-00002-model-00001-of-00001.safetensors'));
    await using checkpoint = await openCheckpoint(join(scratch.root, 'sharded'));
    const rows = [...checkpoint.tensors.values()].find(({ slices }) => slices.length === ranks - 1);
    await expect(checkpoint.read(rows!.name)).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_INCOMPLETE_TENSOR' });
  });
});
