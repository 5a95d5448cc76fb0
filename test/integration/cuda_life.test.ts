import { describe, expect, it } from 'vitest';
import { expectClean, onGpu, runCuda, type DoubleEnvironment } from '../support/cuda.js';
import { namesIn, useRoot } from '../support/root.js';

const root = useRoot();

async function run(scenario: string, double: DoubleEnvironment = {}): Promise<void> {
  expectClean(await runCuda('life', { scenario, root: root.path }, { double }));
}

describe('device memory', () => {
  it('is saved whole if it is disposed of meanwhile, more than once', async () => {
    await run('disposedWhileSaved');
  });

  it('is saved whole if it is collected meanwhile', async () => {
    await run('droppedWhileSaved');
  });

  it('is restored whole if it is disposed of or collected meanwhile', async () => {
    await run('droppedAndDisposedWhileRead');
  });

  it('that nobody holds is freed', async () => {
    await run('collected');
  });

  it('lives as long as a slice of a slice of it', async () => {
    await run('keptBySlice');
  });

  it('and all else that the process left behind is given back at its end', async () => {
    await run('leftBehind');
  });

  it('is used by several workers, some of which are ended', async () => {
    await run('workers', { CUDA_DOUBLE_DELAY_US: '2000' });
  });

  it('of a process that exits in mid-copy: it ends, and nothing is published', async () => {
    const ended = await runCuda('life', { scenario: 'exitInMidCopy', root: root.path }, {
      double: { CUDA_DOUBLE_DELAY_US: '50000' },
    });
    expect({ code: ended.code, signal: ended.signal }, ended.output).toEqual({ code: 0, signal: null });
    // A GPU may be done before the process exits.
    if (!onGpu) expect(namesIn(root.path).filter((name) => name.startsWith('step-'))).toEqual([]);
  });
});
