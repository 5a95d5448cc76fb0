import { describe, it } from 'vitest';
import { expectClean, onGpu, runCuda } from '../support/cuda.js';
import { useRoot } from '../support/root.js';

const root = useRoot();

async function run(scenario: string, more: object = {}): Promise<void> {
  expectClean(await runCuda('ordering', { scenario, root: root.path, double: !onGpu, ...more }));
}

describe('device memory is read behind', () => {
  for (const deviceSnapshot of [false, true]) {
    const how = deviceSnapshot ? ', with a snapshot' : '';

    it(`its stream${how}`, async () => {
      await run('byStream', { deviceSnapshot });
    });

    it(`its event${how}`, async () => {
      await run('byEvent', { deviceSnapshot });
    });

    it(`the default stream, where it names nothing${how}`, async () => {
      await run('byDefaultStream', { deviceSnapshot });
    });
  }
});

describe('device memory is written behind', () => {
  it('its stream', async () => {
    await run('restored');
  });
});
