/** Saves from worker threads, which end by themselves or are ended in the middle, while this thread saves too. */
import { Worker } from 'node:worker_threads';
import { CheckpointWriter } from 'snapshard';
import { MiB } from '../bytes.js';
import { childArgument } from '../child.js';

const { root, way, rounds } = childArgument() as { root: string; way: 'end' | 'terminate'; rounds: number };
const script = new URL('worker_saver.mjs', import.meta.url);
const writer = await CheckpointWriter.open(root, { stagingBytes: 8 * MiB, blockBytes: MiB });

function startWorker(first: number, count: number): Worker {
  const hold = way === 'terminate';
  const worker = new Worker(script, { workerData: { root, first, count, bytes: 20 * MiB, hold }, execArgv: [] });
  worker.on('error', (error) => process.send?.(String(error)));
  return worker;
}

async function ended(worker: Worker): Promise<void> {
  await new Promise((resolve) => worker.once('exit', resolve));
}

for (let round = 0; round < rounds; round++) {
  const base = 1 + round * 20;
  const workers = [startWorker(base, 3), startWorker(base + 10, 3)];
  const exits = workers.map(ended);
  const own = writer.save({ step: 1000 + round, tensors: { a: new Uint8Array(5 * MiB) } });
  if (way === 'terminate') {
    for (const [index, worker] of workers.entries()) {
      const told = new Promise((resolve) => worker.once('message', resolve));
      if (round % 2 === 0) await Promise.race([told, exits[index]]);
      else await new Promise((resolve) => setTimeout(resolve, 40 + Math.random() * 60));
      await worker.terminate();
    }
  }
  await Promise.all(exits);
  await own;
}
await writer.close();
process.send?.('done');
process.disconnect();
