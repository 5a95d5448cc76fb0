/** What goes on beside the saves of one writer. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { CheckpointWriter, latestCheckpoint, listCheckpoints, openCheckpoint, removeCheckpoint, type Checkpoint } from 'snapshard';
import { KiB, MiB } from '../../support/bytes.js';
import type { Dice } from '../misuse/dice.js';

const script = new URL('../../support/children/worker_saver.mjs', import.meta.url);
const reading = { stagingBytes: 8 * MiB, blockBytes: 2 * MiB };
export const writing = { stagingBytes: 8 * MiB, blockBytes: MiB };

export async function removeAllBut(root: string, kept: number): Promise<void> {
  const listed = await listCheckpoints(root);
  for (const { step } of listed.slice(0, Math.max(0, listed.length - kept))) await removeCheckpoint(root, step);
}

async function readSome(dice: Dice, checkpoint: Checkpoint): Promise<void> {
  const way = dice.below(5);
  if (way === 0) await checkpoint.readAll();
  else if (way === 1) await checkpoint.readInto({ weights: new Uint8Array(new SharedArrayBuffer(512 * KiB)) });
  else if (way === 2) for await (const piece of checkpoint.stream('weights', { chunkBytes: MiB })) if (piece.length === 0) break;
  if (way === 3) for await (const _ of checkpoint.verify().progress()) await Promise.resolve();
  if (way === 4) await checkpoint.read('weights', undefined, { signal: AbortSignal.abort() }).catch(() => undefined);
  await checkpoint.file('config.json');
}

export async function restore(dice: Dice, root: string): Promise<void> {
  const listed = await listCheckpoints(root);
  const path = dice.pick(listed).path;
  const checkpoint = dice.chance(0.5) ? await latestCheckpoint(root, reading) : await openCheckpoint(path, reading);
  try {
    await readSome(dice, checkpoint);
    const { damaged } = await checkpoint.verify();
    if (damaged.length > 0) throw new Error(`${checkpoint.path} is damaged: ${JSON.stringify(damaged)}`);
  } finally {
    await checkpoint.close();
  }
}

/** A writer of another kind, for one save of a step that it replaces. */
export async function anotherWriter(dice: Dice, root: string): Promise<void> {
  const kind = dice.pick([{ engine: 'pwrite' as const }, { direct: false }, { threads: 3, queueDepth: 1 }, { shardBytes: 100_000 }]);
  const writer = await CheckpointWriter.open(root, { ...writing, ...kind });
  const { step } = dice.pick(await listCheckpoints(root));
  await writer.save({ step, tensors: { weights: new Uint8Array(512 * KiB), a: new Uint8Array(MiB) }, files: { 'config.json': '{}' }, overwrite: true });
  await writer.close();
}

/** Two ranks of a run in one process: a save of both, and one that the second gives up. */
export async function rankedSaves(dice: Dice, folder: string): Promise<void> {
  const root = join(folder, 'ranks');
  mkdirSync(root, { recursive: true });
  const open = (rank: number): Promise<CheckpointWriter> =>
    CheckpointWriter.open(root, { ...writing, rank, worldSize: 2, runId: `run ${dice.seed}`, deadlineMs: 120_000 });
  const writers = await Promise.all([open(0), open(1)]);
  const tensors = (rank: number): Record<string, Uint8Array> => ({ [`of ${rank}`]: new Uint8Array(100_000).fill(rank) });
  await Promise.all(writers.map((writer, rank) => writer.save({ step: 1, tensors: tensors(rank), overwrite: true })));
  const gaveUp = writers.map((writer, rank) =>
    writer.save({ step: 2, tensors: tensors(rank) }, rank === 1 ? { signal: AbortSignal.abort() } : {}).then(
      () => { throw new Error('A save that a rank gave up was published.'); },
      () => undefined,
    ),
  );
  await Promise.all(gaveUp);
  await Promise.all(writers.map((writer) => writer.close()));
  await removeAllBut(root, 0);
}

/** A thread with a writer of its own, that ends by itself or is ended; the next writer removes what it leaves. */
export async function workerSaves(dice: Dice, folder: string): Promise<void> {
  const root = join(folder, 'workers');
  mkdirSync(root, { recursive: true });
  const hold = dice.chance(0.5);
  const worker = new Worker(script, { workerData: { root, first: 1, count: 2, bytes: 2 * MiB, hold }, execArgv: [] });
  const ended = new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
  if (hold) {
    await Promise.race([new Promise((resolve) => worker.once('message', resolve)), ended]);
    await worker.terminate();
  }
  await ended;
  await (await CheckpointWriter.open(root, writing)).close();
  await removeAllBut(root, 0);
}
