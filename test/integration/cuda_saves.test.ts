import { describe, expect, it } from 'vitest';
import { expectClean, onGpu, runCuda, type DoubleEnvironment } from '../support/cuda.js';
import { useRoot } from '../support/root.js';

const root = useRoot();

async function run(scenario: string, more: object = {}, double: DoubleEnvironment = {}): Promise<unknown> {
  const ended = await runCuda('saves', { scenario, root: root.path, ...more }, { double });
  expectClean(ended);
  return ended.result;
}

describe('device memory', () => {
  it('whole, in slices, and in lists with host memory: saved, and restored to the device', async () => {
    const result = await run('wholeSlicesAndLists');
    expect(result).toMatchObject({ deviceSnapshot: false, deviceReason: '' });
  });

  it.skipIf(onGpu).each([0, 1, 2] as const)('in many pieces, of a driver with batches of copies %i', async (batches) => {
    const ended = await runCuda('saves', { scenario: 'manySmall', root: root.path, count: 3000 }, { batches });
    expectClean(ended);
    if (batches === 0) expect(ended.tally.batches).toBe(0);
    else expect(ended.tally.batches).toBeGreaterThan(0);
  });

  it('of 100,000 tensors', async () => {
    await run('manySmall', { count: 100_000 });
  });

  it('is overwritten right after `staged`, step after step', async () => {
    await run('trainingLoop');
  });

  it('is overwritten as soon as there is a snapshot of it on the device', async () => {
    const told = (await run('trainingLoop', { deviceSnapshot: true })) as object[];
    expect(told).toEqual(told.map(() => ({ taken: true, deviceReason: '' })));
  });

  it.skipIf(onGpu)('with no room for a snapshot is saved without, and the reason is told', async () => {
    const double = { CUDA_DOUBLE_MEMORY: String(8 * 2 ** 20) };
    const told = (await run('trainingLoop', { deviceSnapshot: true }, double)) as object[];
    const reason = expect.stringMatching(/memory/) as string;
    expect(told).toEqual(told.map(() => ({ taken: false, deviceReason: reason })));
  });

  it.skipIf(onGpu)('of several GPUs goes through one pool', async () => {
    await run('severalDevices', { devices: 3 }, { CUDA_DOUBLE_DEVICES: '3' });
  });
});
