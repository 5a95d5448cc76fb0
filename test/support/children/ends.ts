/** Publishes step 1, then ends in the middle of saving step 2. */
import { CheckpointWriter } from 'snapshard';
import { MiB } from '../bytes.js';
import { childArgument } from '../child.js';

export type Ending = 'exit' | 'throw' | 'reject' | 'kill' | 'abort' | 'return' | 'return awaited';

const { root, ending, delay_ms } = childArgument() as { root: string; ending: Ending; delay_ms: number };
const data = new Uint8Array(64 * MiB).fill(7);
const writer = await CheckpointWriter.open(root, { stagingBytes: 16 * MiB, blockBytes: MiB });
await writer.save({ step: 1, tensors: { data: data.subarray(0, 1000) } });
const save = writer.save({ step: 2, tensors: { data } });
await new Promise((resolve) => setTimeout(resolve, delay_ms));
process.disconnect();

switch (ending) {
  case 'exit':
    process.exit(3);
    break;
  case 'throw':
    setImmediate(() => {
      throw new Error('on purpose');
    });
    break;
  case 'reject':
    void Promise.reject(new Error('on purpose'));
    break;
  case 'kill':
    process.kill(process.pid, 'SIGKILL');
    break;
  case 'abort':
    process.kill(process.pid, 'SIGTERM');
    break;
  case 'return':
    break;
  case 'return awaited':
    await save;
    break;
}
