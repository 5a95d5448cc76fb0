import { describe, expect, it } from 'vitest';
import { expectClean, onGpu, runCuda, type CudaRun } from '../support/cuda.js';
import { useRoot } from '../support/root.js';

const root = useRoot();

async function run(scenario: string): Promise<CudaRun> {
  const ended = await runCuda('ipc', { scenario, root: root.path, double: !onGpu });
  expectClean(ended);
  return ended;
}

describe('the memory of another process', () => {
  it('is saved behind its event, and opened once though it is named twice', async () => {
    const { tally } = await run('saved');
    // The memory and the event.
    if (!onGpu) expect(tally.ipc_opens).toBe(2);
  });

  it('is restored to', async () => {
    await run('restored');
  });

  it('is refused when that has ended; host memory is saved all the same', async () => {
    const { result } = await run('deadPeer');
    const { opened, whileOpen } = result as Record<string, unknown>;
    expect(opened).toMatchObject({
      code: 'ERR_SNAPSHARD_CUDA',
      errno: expect.stringMatching(/^CUDA_ERROR_/) as string,
      syscall: 'cuIpcOpenMemHandle',
      message: expect.stringContaining('Cannot open device memory of another process') as string,
    });
    // What is open the driver may keep there; what it says otherwise is told.
    if (whileOpen !== 'none') expect(whileOpen).toMatchObject({ code: 'ERR_SNAPSHARD_CUDA' });
  });
});
