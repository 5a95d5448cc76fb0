/** Probes in workers, which end by themselves or are terminated in the middle; then ends with a probe under way. */
import { Worker } from 'node:worker_threads';
import { probeWrite } from '../../../lib/bench/probe.js';
import { MiB } from '../bytes.js';
import { childArgument } from '../child.js';

const { folder, rounds } = childArgument() as { folder: string; rounds: number };
const script = new URL('probe_worker.mjs', import.meta.url);

async function runWorker(terminate_ms?: number): Promise<void> {
  const workerData = { folder, bytes: 24 * MiB, rounds: terminate_ms === undefined ? 1 : Infinity };
  const worker = new Worker(script, { workerData, execArgv: [] });
  worker.on('error', (error) => process.send?.(String(error)));
  const exited = new Promise((resolve) => worker.once('exit', resolve));
  await new Promise((resolve) => worker.once('message', resolve));
  if (terminate_ms !== undefined) {
    await new Promise((resolve) => setTimeout(resolve, terminate_ms));
    await worker.terminate();
  }
  await exited;
}

await runWorker();
for (let round = 0; round < rounds; round++) await runWorker(round * 12);
void probeWrite(folder, { bytes: 64 * MiB, blockBytes: MiB });
await new Promise((resolve) => setTimeout(resolve, 10));
process.send?.('done', () => process.exit(0));
