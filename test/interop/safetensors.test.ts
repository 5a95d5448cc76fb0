import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { inventory, type OracleShard, type OracleTensor } from './oracle.js';
import {
  bitsOf,
  everyDtype,
  everyShape,
  makeScratch,
  randomTensor,
  sha256,
  torchDtypes,
  type RawTensor,
} from './trees.js';

const scratch = makeScratch();
afterAll(() => {
  scratch.remove();
});

function expected(tensors: Map<string, RawTensor>): Map<string, OracleTensor> {
  return new Map(
    [...tensors].map(([name, { dtype, shape, data }]) => {
      const torch = torchDtypes[dtype];
      // torch counts pairs of 4-bit elements.
      return [name, { dtype, shape, sha256: sha256(data), ...(torch ? { torch: `torch.${torch}` } : {}) }];
    }),
  );
}

function found(shards: Record<string, OracleShard>): Map<string, OracleTensor> {
  const all = Object.values(shards).flatMap(({ tensors }) => Object.entries(tensors));
  const tensors = new Map(all);
  expect(tensors.size).toBe(all.length);
  return tensors;
}

function sorted<T>(tensors: Map<string, T>): [string, T][] {
  return [...tensors].sort(([a], [b]) => (a < b ? -1 : 1));
}

describe('python safetensors', () => {
  const tensors = everyShape();

  it('opens every dtype and finds equal values', async () => {
    const [shards] = await inventory([await scratch.save({ tensors })]);
    expect(sorted(found(shards!))).toEqual(sorted(expected(tensors)));
    expect(Object.keys(shards!)).toEqual(['model-00001-of-00001.safetensors']);
    expect(Object.values(shards!).map(({ metadata }) => metadata)).toEqual([{ format: 'pt' }]);
  });

  it('opens several files a group, several groups, and the index tells where each tensor is', async () => {
    const optimizer = new Map([...tensors].map(([name, tensor]) => [`${name}.exp_avg`, tensor]));
    const grouped = [...optimizer].map(([name, tensor]) => [name, { ...tensor, group: 'optimizer' }] as const);
    const folder = await scratch.save({ tensors: [...tensors, ...grouped] }, { shardBytes: 3 * 2 ** 20 });
    const [shards] = await inventory([folder]);
    expect(sorted(found(shards!))).toEqual(sorted(expected(new Map([...tensors, ...optimizer]))));

    const index = JSON.parse(readFileSync(join(folder, 'model.safetensors.index.json'), 'utf8')) as {
      metadata: { total_size: number };
      weight_map: Record<string, string>;
    };
    const modelShards = Object.entries(shards!).filter(([file]) => file.startsWith('model-'));
    expect(modelShards.length).toBeGreaterThan(2);
    const places = modelShards.flatMap(([file, shard]) => Object.keys(shard.tensors).map((name) => [name, file]));
    expect(index.weight_map).toEqual(Object.fromEntries(places));
    expect(index.metadata.total_size).toBe([...tensors.values()].reduce((sum, { data }) => sum + data.length, 0));
  });

  it('finds the same bytes whichever way they were written', async () => {
    const ways = (['io_uring', 'pwrite'] as const).flatMap((engine) =>
      [true, false].map((direct) => ({ engine, direct })),
    );
    const files = [];
    for (const way of ways) {
      const folder = await scratch.save({ tensors }, { ...way, stagingBytes: 2 ** 23 });
      files.push(sha256(readFileSync(join(folder, 'model-00001-of-00001.safetensors'))));
    }
    expect(new Set(files).size).toBe(1);
  });

  it('opens a checkpoint of no tensors as no shard at all', async () => {
    const folder = await scratch.save({ tensors: {} });
    expect(readdirSync(folder).filter((name) => name.endsWith('.safetensors'))).toEqual([]);
  });

  it('opens random trees', async () => {
    const shape = fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 4 });
    const tensor = fc.record({ dtype: fc.constantFrom(...everyDtype), shape }).map(({ dtype, shape: extents }) => {
      // 4-bit and 6-bit elements fill whole bytes only in fours.
      return randomTensor(dtype, bitsOf[dtype] < 8 ? [...extents, 4] : extents);
    });
    const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter((text) => text !== '__metadata__');
    const tree = fc.tuple(
      fc.array(fc.tuple(name, tensor), { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 4096 }),
    );

    const folders: string[] = [];
    const trees: Map<string, RawTensor>[] = [];
    for (const [entries, shardBytes] of fc.sample(tree, 25)) {
      const tensors = new Map(entries);
      trees.push(tensors);
      folders.push(await scratch.save({ tensors }, { shardBytes }));
    }
    const inventories = await inventory(folders);
    expect(inventories.map((shards) => sorted(found(shards)))).toEqual(
      trees.map((tensors) => sorted(expected(tensors))),
    );
  });
});
