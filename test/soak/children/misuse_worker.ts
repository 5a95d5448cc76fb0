/** Runs one random program in a thread, in a root that others use, until it ends or is ended. */
import { mkdtempSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { endAll } from '../misuse/aftermath.js';
import { operations } from '../misuse/operations.js';
import { Program } from '../misuse/program.js';

const { seed, root } = workerData as { seed: number; root: string };
const folder = mkdtempSync(join(dirname(root), `worker-${seed}-`));
const program = new Program(seed, folder, operations, root);
await program.run();
await endAll(program);
parentPort?.postMessage(program.judge.findings);
