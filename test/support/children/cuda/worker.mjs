/** Saves device memory of its own; it may be ended meanwhile. */
import { parentPort, workerData } from 'node:worker_threads';
import { CheckpointWriter, CudaMemory } from 'snapshard';

const MiB = 1 << 20;
const { root, step } = workerData;
const writer = await CheckpointWriter.open(root, { stagingBytes: 4 * MiB, blockBytes: MiB });
const data = CudaMemory.allocate(6 * MiB);
const save = writer.save({ step, tensors: { data: { dtype: 'U8', shape: [data.bytes], data } } });
parentPort.postMessage('saving');
await save;
await writer.close();
data.dispose();
