import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Dtype } from 'snapshard';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closeRanks, openRanks, RankProcess, saveEach, valuesOf } from '../support/ranks.js';
import { manyWays } from '../support/ranks_states.js';
import { patternOf, type RankTensor, type RankTensors } from '../support/ranks_wire.js';
import { inventory, loadDistributed, loadSharded, type OracleSlice } from './oracle.js';
import { everyDtype, makeScratch, sha256, torchDtypes } from './trees.js';

const scratch = makeScratch();
afterAll(() => {
  scratch.remove();
});

const worldSizes = [2, 4, 8];
/** PyTorch 2.13's reader fails on a directory that holds one tensor of these. */
const notInDistributed = ['F4', 'F6_E2M3', 'F6_E3M2', 'F8_E8M0'];
const dtypes = everyDtype.filter((dtype) => !notInDistributed.includes(dtype));

/** Of each dtype rows, the last rank's fewer, and a replica that is large enough to be divided. */
function ofDtype(dtype: Dtype, rank: number, worldSize: number): RankTensors {
  const rows = 7 * worldSize - 2;
  const slice = { globalShape: [rows, 33], shape: [rank + 1 === worldSize ? 5 : 7, 33], origin: [7 * rank, 0] };
  return [
    [`rows.${dtype}`, { dtype, ...slice }],
    [`replica.${dtype}`, { dtype, shape: [40, 17, 64], replicas: 'all' }],
  ];
}

/** Tensors of no elements: one rank's, several ranks' slices, and a replica. */
function empties(rank: number): RankTensors {
  const own: RankTensors = [['empty.own', { dtype: 'F32', shape: [3, 0, 2] }]];
  return [
    ...(rank === 1 ? own : []),
    ['empty.slices', { dtype: 'F32', globalShape: [0, 4], shape: [0, 4], origin: [0, 0] }],
    ['empty.replica', { dtype: 'BF16', shape: [5, 0], replicas: 'all' }],
  ];
}

function tensors(rank: number, worldSize: number): RankTensors {
  const plain = [...manyWays(rank, worldSize), ...dtypes.flatMap((dtype) => ofDtype(dtype, rank, worldSize))];
  const grouped = plain.map(([name, tensor]) => [`${name}.moment`, { ...tensor, group: 'moments' }] as const);
  return [...plain, ...grouped, ...empties(rank)];
}

/** The tensors that the ranks have together, whole, by name. */
function wholeTensors(worldSize: number): Map<string, RankTensor> {
  const ranks = Array.from({ length: worldSize }, (_, rank) => tensors(rank, worldSize));
  const entries = ranks.flat().map(([name, { dtype, shape, globalShape = shape }]) => {
    return [name, { dtype, shape: globalShape }] as const;
  });
  return new Map(entries);
}

const elements = (shape: readonly number[]): number => shape.reduce((product, extent) => product * extent, 1);

/** The bytes of the whole tensor where the slice lies. */
function expectSlice(name: string, { dtype, shape: globalShape }: RankTensor, slice: OracleSlice): void {
  const { origin, shape } = slice;
  const bytes = patternOf(name, { dtype, shape, globalShape, origin });
  expect({ name, ...slice }).toMatchObject({ name, sha256: sha256(bytes) });
}

const folders: string[] = [];

async function save(worldSize: number): Promise<string> {
  const root = join(scratch.root, String(worldSize));
  mkdirSync(root);
  const processes = Array.from({ length: worldSize }, () => new RankProcess());
  const ranks = await openRanks(processes, root);
  const [published] = valuesOf(await saveEach(ranks, { step: 1, tensors }));
  await closeRanks(ranks);
  await Promise.all(processes.map((process) => process.kill()));
  return published!.path;
}

beforeAll(async () => {
  for (const worldSize of worldSizes) folders.push(await save(worldSize));
});

describe('what 2, 4 and 8 ranks saved', () => {
  it('PyTorch loads as whole tensors', async () => {
    const loaded = await loadDistributed(folders);
    for (const [index, worldSize] of worldSizes.entries()) {
      const expected = [...wholeTensors(worldSize)].map(([name, tensor]) => {
        const { dtype, shape } = tensor;
        const torch = `torch.${torchDtypes[dtype]}`;
        return [name, { shape, torch, sha256: sha256(patternOf(name, tensor)) }] as const;
      });
      expect(loaded[index]).toEqual(Object.fromEntries(expected));
    }
  });

  it.each([[[3]], [[5]], [[2, 2]], [[2, 3]]])('PyTorch loads into a mesh of %j, divided otherwise', async (mesh) => {
    const loaded = await loadSharded(mesh, folders);
    for (const [index, worldSize] of worldSizes.entries()) {
      const wholes = wholeTensors(worldSize);
      const loadedElements = new Map<string, number>();
      let parts = 0;
      expect(loaded[index]).toHaveLength(elements(mesh));
      for (const slices of loaded[index]!) {
        expect(Object.keys(slices).sort()).toEqual([...wholes.keys()].sort());
        for (const [name, slice] of Object.entries(slices)) {
          const whole = wholes.get(name)!;
          expectSlice(name, whole, slice);
          loadedElements.set(name, (loadedElements.get(name) ?? 0) + elements(slice.shape));
          if (elements(slice.shape) < elements(whole.shape)) parts += 1;
        }
      }
      for (const [name, { shape }] of wholes) {
        expect(loadedElements.get(name), name).toBeGreaterThanOrEqual(elements(shape));
      }
      expect(parts).toBeGreaterThan(wholes.size);
    }
  });

  it('safetensors opens, shard by shard', async () => {
    const inventories = await inventory(folders);
    for (const [index, worldSize] of worldSizes.entries()) {
      const wholes = wholeTensors(worldSize);
      const shards = Object.entries(inventories[index]!);
      const writers = new Set(shards.map(([file]) => file.slice(0, 'shard-00000'.length)));
      expect([...writers].sort()).toEqual(Array.from({ length: worldSize }, (_, rank) => `shard-0000${rank + 1}`));
      let elementsFound = 0;
      for (const [, { metadata, tensors: found }] of shards) {
        expect(metadata).toMatchObject({ format: 'pt', DCP_VERSION: '1.0' });
        const sharding = JSON.parse(metadata!.DCP_SHARDING_INFO!) as Record<string, { saved_offsets: number[] }>;
        expect(Object.keys(sharding).sort()).toEqual(Object.keys(found).sort());
        for (const [name, { dtype, ...slice }] of Object.entries(found)) {
          const whole = wholes.get(name)!;
          expect(dtype).toBe(whole.dtype);
          expectSlice(name, whole, { ...slice, origin: sharding[name]!.saved_offsets });
          elementsFound += elements(slice.shape);
        }
      }
      expect(elementsFound).toBe([...wholes.values()].reduce((sum, { shape }) => sum + elements(shape), 0));
    }
  });
});
