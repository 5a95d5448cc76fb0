import { binding, type StagingHandle, type StagingInfo, type StagingOptions } from '../binding.js';
import { toSnapshardError } from '../store/native_error.js';

/** Takes the memory that saves or reads go through. */
export async function createStaging(options: StagingOptions): Promise<StagingInfo> {
  const { stagingBytes, blockBytes, queueDepth, threads, engine, direct } = options;
  try {
    return await binding.createStaging({ stagingBytes, blockBytes, queueDepth, threads, engine, direct });
  } catch (error) {
    throw toSnapshardError(error, { action: `set up staging with ${stagingBytes} bytes` });
  }
}

/** Waits for what uses it. */
export async function closeStaging(staging: StagingHandle): Promise<void> {
  try {
    await binding.closeStaging(staging);
  } catch (error) {
    throw toSnapshardError(error, { action: 'close staging' });
  }
}
