import { binding, type StagingHandle, type StagingInfo, type StagingOptions } from '../binding.js';
import { toSnapshardError } from '../store/native_error.js';

/**
 * Sets up the memory that saves or reads go through.
 * @param prefault takes all of it now, as saves need it; else as much as reads come to need
 */
export async function createStaging(options: StagingOptions, prefault: boolean): Promise<StagingInfo> {
  const { stagingBytes, blockBytes, queueDepth, threads, engine, direct, cudaDevice } = options;
  try {
    const drive = { queueDepth, threads, engine, direct, cudaDevice };
    return await binding.createStaging({ stagingBytes, blockBytes, ...drive, prefault });
  } catch (error) {
    throw toSnapshardError(error, {
      action: `set up staging with ${stagingBytes} bytes`,
      purpose: prefault ? 'save' : 'use',
    });
  }
}

/** Waits for what uses it. */
export async function closeStaging(staging: StagingHandle): Promise<void> {
  try {
    await binding.closeStaging(staging);
  } catch (error) {
    throw toSnapshardError(error, { action: 'close staging', purpose: 'use' });
  }
}
