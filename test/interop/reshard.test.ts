import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { partOf } from '../support/restored.js';
import { loadSharded } from './oracle.js';
import { bitsOf, everyDtype, makeScratch, randomTensor, sha256, sliceRows, type RawTensor, type Slices } from './trees.js';

const scratch = makeScratch();
afterAll(() => {
  scratch.remove();
});

/** PyTorch 2.13's reader fails on a directory that holds one tensor of these. */
const notInDistributed = ['F4', 'F6_E2M3', 'F6_E3M2', 'F8_E8M0'];
const dtypes = everyDtype.filter((dtype) => !notInDistributed.includes(dtype));
const elements = (shape: readonly number[]): number => shape.reduce((product, extent) => product * extent, 1);

describe('what one rank saved', () => {
  const tensors = new Map<string, RawTensor>(dtypes.map((dtype) => [`matrix.${dtype}`, randomTensor(dtype, [37, 26])]));
  for (const dtype of dtypes) tensors.set(`scalar.${dtype}`, randomTensor(dtype, []));
  tensors.set('cube', randomTensor('F32', [5, 11, 7]));
  tensors.set('vector', randomTensor('BF16', [1001]));
  const folders: string[] = [];

  beforeAll(async () => {
    folders.push(await scratch.save({ tensors }, { shardBytes: 9000 }));
    const slices = [...tensors].flatMap(([name, tensor]): Slices =>
      tensor.shape.length === 2 ? sliceRows(name, tensor, 3) : [[name, tensor]],
    );
    folders.push(await scratch.save({ tensors: slices }));
  });

  it.each([[[2]], [[3]], [[2, 2]]])('PyTorch loads into a mesh of %j, whole or in slices as it was', async (mesh) => {
    for (const processes of await loadSharded(mesh, folders)) {
      expect(processes).toHaveLength(elements(mesh));
      let parts = 0;
      for (const slices of processes) {
        expect(Object.keys(slices).sort()).toEqual([...tensors.keys()].sort());
        for (const [name, slice] of Object.entries(slices)) {
          const { dtype, shape, data } = tensors.get(name)!;
          const bytes = partOf(data, bitsOf[dtype] / 8, shape, slice);
          expect({ name, ...slice }).toMatchObject({ name, sha256: sha256(bytes) });
          if (elements(slice.shape) < elements(shape)) parts += 1;
        }
      }
      expect(parts).toBeGreaterThan(dtypes.length);
    }
  });
});
