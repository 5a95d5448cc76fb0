import { basename } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { CheckpointWriter, latestCheckpoint, listCheckpoints, type Published } from 'snapshard';
import { Checkpoints, checkpointsKept } from './checkpoints.js';
import { readCorpus } from './corpus.js';
import { Trainer } from './trainer.js';

export interface TrainOptions {
  /** Where the checkpoints go: an existing directory. */
  root: string;
  repository: string;
  steps: number;
  /** Steps from one save to the next. */
  saveEvery: number;
  /** Goes on from the newest checkpoint that is whole, if there is one. */
  resume: boolean;
  signal: AbortSignal;
  print: (line: string) => void;
}

export interface TrainResult {
  saves: Published[];
  /** Milliseconds of each step, by whether a save was under way. */
  stepsAlone: number[];
  stepsSaving: number[];
}

/** Trains and saves side by side. On abort, the save under way is given up and the reason is thrown. */
export async function train(options: TrainOptions): Promise<TrainResult> {
  const { root, signal, print } = options;
  const text = readCorpus(options.repository);
  const trainer = new Trainer(text);
  print(`   text         ${Math.round(text.length / 1e3)} kB of this repository's documentation and library`);
  print(`   model        ${(trainer.parameterCount / 1e6).toFixed(1)} million parameters, trained with Adam`);
  print(`   checkpoints  every ${options.saveEvery} of ${options.steps} steps; the newest ${checkpointsKept} stay\n`);

  if (options.resume) await resume(trainer, root, print);
  const writer = await CheckpointWriter.open(root, { stagingBytes: 128 * 2 ** 20 });
  try {
    return await loop(trainer, new Checkpoints(writer, root), options);
  } finally {
    await writer.close({ abort: signal.aborted });
  }
}

async function resume(trainer: Trainer, root: string, print: (line: string) => void): Promise<void> {
  if ((await listCheckpoints(root)).length === 0) return;
  await using checkpoint = await latestCheckpoint(root);
  await trainer.restore(checkpoint);
  print(`   continues at step ${trainer.step}, from ${basename(checkpoint.path)}\n`);
}

async function loop(trainer: Trainer, checkpoints: Checkpoints, options: TrainOptions): Promise<TrainResult> {
  const { signal, print } = options;
  const result: TrainResult = { saves: checkpoints.published, stepsAlone: [], stepsSaving: [] };
  while (trainer.step < options.steps) {
    const began = performance.now();
    const saving = checkpoints.busy;
    await trainer.train(setImmediate);
    (saving ? result.stepsSaving : result.stepsAlone).push(performance.now() - began);
    signal.throwIfAborted();

    if (trainer.step % options.saveEvery === 0) {
      await checkpoints.settled();
      const loss = trainer.loss;
      checkpoints.start(trainer.checkpoint(), signal, (published) => {
        print(describe(published, loss));
      });
    }
  }
  await checkpoints.settled();
  return result;
}

function describe({ step, bytes, timings }: Published, loss: number): string {
  const megabytes = (bytes / 1e6).toFixed(1);
  const staged = (timings.stagedSeconds * 1e3).toFixed(0).padStart(3);
  const published = timings.publishedSeconds.toFixed(2);
  const progress = `   step ${String(step).padStart(4)}   loss ${loss.toFixed(3)} nats a byte`;
  return `${progress}   ${megabytes} MB staged in ${staged} ms, published in ${published} s`;
}
