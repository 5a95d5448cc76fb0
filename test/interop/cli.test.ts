import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { cut, saveAsRanks, snapshard, snapshardJson, type PlainTensor } from '../support/cli.js';
import { inventory, loadDistributed } from './oracle.js';
import { everyShape, makeScratch, randomTensor, sha256 } from './trees.js';

const scratch = makeScratch();
afterAll(() => {
  scratch.remove();
});

let folders = 0;
function freshFolder(): string {
  folders += 1;
  const path = join(scratch.root, `cli-${folders}`);
  mkdirSync(path);
  return path;
}

describe('what the command line exports', () => {
  it('is opened by python safetensors, every dtype and size, byte for byte', async () => {
    const tensors = everyShape();
    const out = join(freshFolder(), 'out');
    const { code, stderr } = await snapshard('export', await scratch.save({ tensors }), out, '--max-shard-size', '3MiB');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [shards] = await inventory([out]);
    expect(Object.keys(shards!).length).toBeGreaterThan(1);
    const found = Object.values(shards!).flatMap((shard) => Object.entries(shard.tensors));
    expect(found).toHaveLength(tensors.size);
    for (const [name, { dtype, shape, sha256: digest }] of found) {
      const { data, ...tensor } = tensors.get(name)!;
      expect({ dtype, shape, sha256: digest }, name).toEqual({ ...tensor, sha256: sha256(data) });
    }
    const index = JSON.parse(readFileSync(join(out, 'model.safetensors.index.json'), 'utf8')) as {
      weight_map: Record<string, string>;
    };
    for (const [file, shard] of Object.entries(shards!)) {
      for (const name of Object.keys(shard.tensors)) expect(index.weight_map[name]).toBe(file);
    }
  });

  it('is what PyTorch makes of the parts of several ranks', async () => {
    const rows = randomTensor('F32', [61, 40]) as PlainTensor;
    const columns = randomTensor('BF16', [30, 77]) as PlainTensor;
    const path = await saveAsRanks(freshFolder(), 4, 3, (rank) => ({
      rows: cut(rows, 0, rank, 4),
      columns: cut(columns, 1, rank, 4),
    }));
    const out = join(freshFolder(), 'out');
    expect((await snapshard('export', path, out)).code).toBe(0);
    const [[parts], [shards]] = await Promise.all([loadDistributed([path]), inventory([out])]);
    const whole = shards!['model-00001-of-00001.safetensors']!.tensors;
    expect(Object.keys(whole).sort()).toEqual(['columns', 'rows']);
    for (const [name, { sha256: digest, shape }] of Object.entries(whole)) {
      expect({ shape, sha256: digest }).toMatchObject({ shape: parts![name]!.shape, sha256: parts![name]!.sha256 });
    }
    expect(whole.rows!.sha256).toBe(sha256(rows.data));
    expect(whole.columns!.sha256).toBe(sha256(columns.data));
  });

  it('is equal to what it was made from, as diff sees it, also out of a copy', async () => {
    const path = await scratch.save({ tensors: { a: randomTensor('F32', [3, 4]), b: randomTensor('I64', []) } });
    const folder = freshFolder();
    cpSync(join(path, 'model-00001-of-00001.safetensors'), join(folder, 'model.safetensors'));
    expect((await snapshard('export', folder, join(folder, 'out'))).code).toBe(0);
    const { code, value } = await snapshardJson<{ equal: number; byContent: number }>(
      ...['diff', path, join(folder, 'out'), '--filter', '*'],
    );
    expect({ code, ...value }).toMatchObject({ code: 0, equal: 2, byContent: 2 });
  });
});
