/**
 * What `npm start` runs: trains a small model that is checkpointed as it goes, does so again with an interruption, saves
 * one rank of a large one, says what that took, saves from several processes at once, and reads all that is kept back
 * with an independent checker.
 */
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkCheckpoint } from './check.js';
import { saveLlamaRank } from './llama_rank.js';
import { saveFromRanks } from './ranks.js';
import { killAndResume } from './resume.js';
import { median, resultTable, shortcomings } from './report.js';
import { freshRun } from './runs.js';
import { checkpointsKept } from './train/checkpoints.js';
import { train, type TrainResult } from './train/train.js';

const repository = fileURLToPath(new URL('..', import.meta.url));
const steps = 100;
const saveEvery = 10;

function print(line: string): void {
  console.log(line);
}

async function main(signal: AbortSignal): Promise<void> {
  print('\n1. Training a small language model, with checkpoints in the background\n');
  const trainingRoot = await freshRun(repository, 'language-model');
  const training = await train({ root: trainingRoot, repository, steps, saveEvery, resume: false, signal, print });
  printStepTimes(training);

  print('\n2. The same training, killed half-way and continued by another process\n');
  const reference = training.saves.at(-1)!.path;
  const resumedRoot = await freshRun(repository, 'language-model-resumed');
  const resumed = await killAndResume({ root: resumedRoot, steps, saveEvery, reference, signal, print });

  print('\n3. Saving one rank of a Llama-3-8B-shaped checkpoint, cut to about 1 GiB\n');
  const llama = await saveLlamaRank({ root: await freshRun(repository, 'llama-3-8b-rank'), signal, print });

  print('\n4. What the saves took\n');
  print(resultTable([['Training, median', training.saves], ['Llama rank', [llama]]]));
  for (const reason of shortcomings([...training.saves, llama])) print(`   ${reason}`);
  print('   Training and its saves share one JavaScript thread: those saves advance in the gaps of a step.');

  print('\n5. Four processes save one checkpoint\n');
  const shared = await saveFromRanks({ root: await freshRun(repository, 'ranks'), signal, print });

  print('\n6. What is kept, read back and checked against the digests\n');
  const kept = [...training.saves.slice(-checkpointsKept), llama].map(({ path }) => path);
  for (const path of [...kept, resumed, shared]) await check(path, signal);
}

function printStepTimes({ stepsAlone, stepsSaving }: TrainResult): void {
  const [alone, saving] = [median(stepsAlone), median(stepsSaving)].map((time_ms) => time_ms.toFixed(0));
  print(`\n   median step  ${alone} ms with no save under way, ${saving} ms with one`);
}

async function check(path: string, signal: AbortSignal): Promise<void> {
  const began_ms = performance.now();
  const { files, tensors, chunks, bytes } = await checkCheckpoint(path, signal);
  const seconds = ((performance.now() - began_ms) / 1e3).toFixed(1);
  print(`   ${relative(process.cwd(), path)}`);
  print(`      ${tensors} tensors in ${files} files, ${(bytes / 1e6).toFixed(1)} MB`);
  print(`      ${chunks} of ${chunks} chunks match their digests (${seconds} s)`);
}

async function run(): Promise<void> {
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    // Once: whoever presses Ctrl-C a second time does not want to wait.
    process.once(name, () => {
      interrupt.abort(name);
    });
  }
  try {
    await main(interrupt.signal);
  } catch (error) {
    if (interrupt.signal.aborted) {
      print('\nInterrupted. A save under way was given up; the checkpoints published before it are whole.');
    } else {
      console.error(error);
    }
    process.exitCode = interrupt.signal.aborted ? 130 : 1;
  }
}

await run();
