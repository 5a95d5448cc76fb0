import { afterAll, describe, expect, it } from 'vitest';
import { inventory, loadDistributed } from './oracle.js';
import { everyDtype, makeScratch, randomTensor, sha256, sliceRows, torchDtypes, type RawTensor, type Slices } from './trees.js';

const scratch = makeScratch();
afterAll(() => {
  scratch.remove();
});

/** PyTorch 2.13's reader fails on a directory that holds one tensor of these. */
const notInDistributed = ['F4', 'F6_E2M3', 'F6_E3M2', 'F8_E8M0'];
const dtypes = everyDtype.filter((dtype) => !notInDistributed.includes(dtype));

function expected(tensors: Map<string, RawTensor>): Record<string, unknown> {
  const entries = [...tensors].map(([name, { dtype, shape, data }]) => {
    return [name, { shape, torch: `torch.${torchDtypes[dtype]}`, sha256: sha256(data) }] as const;
  });
  return Object.fromEntries(entries);
}

describe('PyTorch distributed checkpoint', () => {
  const tensors = new Map(dtypes.map((dtype) => [`layers.${dtype}.weight`, randomTensor(dtype, [37, 64])]));
  tensors.set('scalar', randomTensor('F32', []));
  tensors.set('vector', randomTensor('I64', [1000]));

  it('loads whole tensors', async () => {
    const folder = await scratch.save({ tensors }, { shardBytes: 20_000 });
    expect(await loadDistributed([folder])).toEqual([expected(tensors)]);
  });

  it('puts slices of tensors together', async () => {
    const slices = [...tensors].flatMap(([name, tensor]): Slices =>
      tensor.shape.length === 2 ? sliceRows(name, tensor, 3) : [[name, tensor]],
    );
    const folder = await scratch.save({ tensors: slices });
    expect(await loadDistributed([folder])).toEqual([expected(tensors)]);

    const [shards] = await inventory([folder]);
    expect(Object.keys(shards!)).toEqual([1, 2, 3].map((file) => `shard-00001-model-0000${file}-of-00003.safetensors`));
    const first = Object.values(shards!)[0]!;
    expect(first.metadata).toMatchObject({ format: 'pt', DCP_VERSION: '1.0' });
    const sharding = JSON.parse(first.metadata!.DCP_SHARDING_INFO!) as Record<string, unknown>;
    expect(Object.keys(sharding).sort()).toEqual(Object.keys(first.tensors).sort());
    expect(sharding).toMatchObject({ scalar: { saved_offsets: [] } });
  });
});
