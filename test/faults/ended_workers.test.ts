import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { MiB } from '../support/bytes.js';
import { openFiles } from '../support/process_state.js';
import { useRoot } from '../support/root.js';

const root = useRoot();
const script = new URL('../support/children/worker_saver.mjs', import.meta.url);

/** A worker that stages a save in a pool of 8 MiB and is ended before it has closed anything. */
async function endOneInTheMiddle(step: number): Promise<void> {
  const workerData = { root: root.path, first: step, count: 1, bytes: 6 * MiB, hold: true };
  const worker = new Worker(script, { workerData, execArgv: [] });
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  await worker.terminate();
}

it('workers that are ended in the middle leave neither memory nor descriptors', async () => {
  for (let step = 1; step <= 4; step++) await endOneInTheMiddle(step);
  const filesBefore = openFiles().sort();
  const before = process.memoryUsage.rss();
  for (let step = 5; step <= 24; step++) await endOneInTheMiddle(step);
  expect(openFiles().sort()).toEqual(filesBefore);
  // One pool in each worker would be 160 MiB.
  expect((process.memoryUsage.rss() - before) / MiB).toBeLessThan(64);
});
