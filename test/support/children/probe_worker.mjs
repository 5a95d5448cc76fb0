// Probes in a worker until it is terminated, or as often as it is told.
import { parentPort, workerData } from 'node:worker_threads';
import { probeCopy, probeRead, probeWrite } from '../../../dist/bench/probe.js';

const { folder, rounds, bytes } = workerData;
parentPort.postMessage('ready');
for (let round = 0; round < rounds; round++) {
  const [{ path }] = await Promise.all([probeWrite(folder, { bytes, blockBytes: 1 << 20 }), probeCopy({ bytes })]);
  await probeRead(path, { blockBytes: 1 << 20 });
}
