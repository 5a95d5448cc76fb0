import { describe, it } from 'vitest';
import { cudaReason, onDouble, tellSkipped } from './gpu.js';

const name = 'The tests of device memory on a GPU';
const reason = onDouble ? 'they are of the double anyway' : cudaReason;
tellSkipped(name, reason);

// What is tested with the double elsewhere, with the driver that is here.
if (reason === '') {
  await import('../integration/cuda_saves.test.js');
  await import('../integration/cuda_ordering.test.js');
  await import('../integration/cuda_ipc.test.js');
  await import('../integration/cuda_life.test.js');
  await import('../integration/cuda_refusals.test.js');
} else {
  describe.skip(name, () => {
    it(reason, () => {});
  });
}
