/** Runs in a worker thread: saves steps as its data says, and posts what became of them. */
import { parentPort, workerData } from 'node:worker_threads';
import { CheckpointWriter } from 'snapshard';

const { root, first, count, bytes, hold } = workerData;
const writer = await CheckpointWriter.open(root, { stagingBytes: 8 << 20, blockBytes: 1 << 20 });
const data = new Uint8Array(bytes).fill(first);
for (let step = first; step < first + count; step++) {
  const save = writer.save({ step, tensors: { data } });
  await save.staged;
  parentPort.postMessage(`staged ${step}`);
  if (!hold) await save;
}
if (!hold) await writer.close();
