/**
 * The life of the add-on in a thread of its own: what it starts only once, it starts here. Opens a writer, tells how
 * that went, and when it is told so, saves and reads back with the same writer, or with another where there is none.
 */
import { parentPort, workerData } from 'node:worker_threads';

const { root, options } = workerData;
const step = 2;

/** What an error is, for one who gets a copy. */
function tell(error) {
  const { name, code, message, errno, syscall, path, stack, cause } = error;
  return { name, code, message, errno, syscall, path, stack, ...(cause instanceof Error && { cause: tell(cause) }) };
}

async function open() {
  const { capabilities, CheckpointWriter } = await import('snapshard');
  return { capabilities: capabilities(), writer: await CheckpointWriter.open(root, options) };
}

async function saveWith(writer) {
  const { latestCheckpoint } = await import('snapshard');
  const data = new Uint8Array(1_500_000).fill(7);
  const { engine, engineReason } = await writer.save({ step, tensors: { data } });
  const checkpoint = await latestCheckpoint(root, { stagingBytes: 1 << 22, blockBytes: 1 << 21 });
  const read = await checkpoint.read('data');
  await checkpoint.close();
  if (checkpoint.step !== step || Buffer.compare(read.data, data) !== 0) throw new Error('It holds other bytes.');
  return { engine, engineReason };
}

let opened;
const go = new Promise((resolve) => { parentPort.once('message', resolve); });
try {
  opened = await open();
  parentPort.postMessage({ opened: opened.capabilities });
} catch (error) {
  parentPort.postMessage({ failed: tell(error) });
}
await go;
try {
  opened ??= await open();
  const saved = await saveWith(opened.writer);
  await opened.writer.close();
  parentPort.postMessage({ saved });
} catch (error) {
  parentPort.postMessage({ failed: tell(error) });
}
