import { describe, expect, it } from 'vitest';
import { expectClean, runCuda } from '../support/cuda.js';
import { useRoot } from '../support/root.js';
import { inventory } from './oracle.js';

const root = useRoot();

describe('what was saved from device memory', () => {
  it('opens in python safetensors, byte for byte', async () => {
    const ended = await runCuda('saves', { scenario: 'wholeSlicesAndLists', root: root.path });
    expectClean(ended);
    const { path, digests } = ended.result as { path: string; digests: Record<string, string> };
    const [shards] = await inventory([path]);
    const found = Object.values(shards!).flatMap(({ tensors }) => Object.entries(tensors));
    expect(Object.fromEntries(found.map(([name, { sha256 }]) => [name, sha256]))).toEqual(digests);
  });
});
