import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CheckpointWriter } from 'snapshard';
import type { HostileArgument } from './children/hostile.js';
import { Canary, tensorsOf } from './hostile/canary.js';
import { checkExports, runCommands } from './hostile/commands.js';
import { compileTools, Swapper, whyNoTools } from './hostile/tools.js';
import { runWorker, type WorkerReport } from './hostile/worker.js';
import { expectInvariant } from './invariant.js';
import type { SoakClass } from './soak_class.js';

const operationsInTrial = 100;
const commandsInTrial = 4;
const deadline_ms = 60_000;

export interface HostileReport extends WorkerReport {
  readonly swaps: number;
}

async function fill(root: string): Promise<void> {
  mkdirSync(root);
  const writer = await CheckpointWriter.open(root, { stagingBytes: 2 ** 23 });
  for (const step of [1, 2, 3]) {
    await writer.save({ step, tensors: tensorsOf('plain '), files: { 'config.json': '{}' } });
  }
  await writer.close();
}

/** What the swapper could not take back, because the names under it had moved on. */
function removeDecoys(folder: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const information = lstatSync(path);
    if (information.isDirectory()) removeDecoys(path);
    else if (!information.isFile() || information.size === 0) rmSync(path);
  }
}

/** Swaps, works and checks; on odd seeds without openat2(2), which stands for a kernel before 5.6. */
export async function race(
  seed: number,
  folder: string,
  other: Partial<HostileArgument> & { readonly commands?: number } = {},
): Promise<HostileReport> {
  const { commands = commandsInTrial, ...argument } = other;
  const root = join(folder, 'root');
  await fill(root);
  const canary = await Canary.make(join(folder, 'outside'));
  const tools = await compileTools();
  const launcher = seed % 2 === 1 ? [tools.deny, 'openat2=ENOSYS'] : [];
  const swapper = new Swapper(tools.swapper, { root, stock: join(folder, 'stock'), canary: canary.checkpoint, seed });
  let report: WorkerReport;
  try {
    const worker = { root, seed, count: operationsInTrial, deadline_ms, ...argument };
    [report] = await Promise.all([runWorker(worker, launcher), runCommands(root, seed, commands, launcher)]);
  } finally {
    await swapper.stop();
  }
  canary.expectUntouched();
  removeDecoys(root);
  checkExports(root);
  await expectInvariant(root, undefined, 99);
  canary.expectUntouched();
  assert(swapper.swaps > 0, 'Nothing was swapped.');
  return { ...report, swaps: swapper.swaps };
}

export const soak: SoakClass = {
  name: 'hostile',
  about: 'a process swaps files and directories for links and special files: nothing outside is read or touched',
  cases: { count: operationsInTrial + commandsInTrial, called: 'calls' },
  whyNot: whyNoTools,
  async trial(seed, folder) {
    const { ends, swaps } = await race(seed, folder);
    if (process.env.SNAPSHARD_SOAK_TELL !== undefined) console.log({ swaps, ...Object.fromEntries([...ends].sort()) });
  },
};
