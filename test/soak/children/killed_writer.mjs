/**
 * Saves as fast as it can until it ends as it was told to, and says on its standard output, with no delay, what it is
 * about to do and what it has done. Each step is saved twice, and the one before the last is removed.
 */
import { writeSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { CheckpointWriter, removeCheckpoint } from 'snapshard';

const MiB = 2 ** 20;
const phases = ['staging', 'writing', 'publishing', 'published'];
const argument = isMainThread ? JSON.parse(process.argv[2]) : workerData;
const { root, bytes, firstStep, saves, moment } = argument;

function tell(...words) {
  writeSync(1, `${words.join(' ')}\n`);
}

const endings = {
  kill: () => process.kill(process.pid, 'SIGKILL'),
  term: () => process.kill(process.pid, 'SIGTERM'),
  exit: () => process.exit(3),
  throw: () => setImmediate(() => { throw new Error('on purpose'); }),
  terminate: () => parentPort.postMessage('now'),
};

/** Of the last save, and of the removal after it. */
let round_ms = 0;
let begun_ms = performance.now();
let armed = false;

/** Ends at a phase of a save, when a share of its bytes is done, or after a share of the time that one takes. */
async function arm(save) {
  const { phase, share, ending } = moment;
  if (phase === undefined) {
    if (!armed) setTimeout(endings[ending], share * round_ms);
    armed = true;
    return;
  }
  for await (const now of save.progress()) {
    const done = phase === 'staging' ? now.stagedBytes : now.writtenBytes;
    const late = phases.indexOf(now.phase) > phases.indexOf(phase);
    // Too late even for that: the next save is armed as well.
    if (now.phase === 'published') return;
    if (!late && (now.phase !== phase || done < share * now.totalBytes)) continue;
    endings[ending]();
    return;
  }
}

async function saveOne(writer, number, tensors) {
  const step = firstStep + Math.floor(number / 2);
  // Little, so that nothing but saving and removing takes any time.
  for (let at = 0; at < bytes / 2; at += bytes / 64) tensors.weights[at] = number;
  tell('begun', step);
  round_ms = performance.now() - begun_ms;
  begun_ms += round_ms;
  const save = writer.save({ step, tensors, overwrite: true, metadata: { number } });
  if (number >= moment.after) void arm(save);
  const { digest } = await save;
  tell('published', step, digest);
  if (number % 2 === 0 || step < firstStep + 1) return;
  tell('removing', step - 1);
  await removeCheckpoint(root, step - 1);
  tell('removed', step - 1);
}

async function run() {
  tell('opening');
  const writer = await CheckpointWriter.open(root, { stagingBytes: 64 * MiB });
  tell('opened');
  const tensors = { weights: new Uint8Array(bytes - 5 * MiB - 77), moments: new Float32Array((5 * MiB) / 4).fill(0.5) };
  for (let number = 0; number < saves; number += 1) await saveOne(writer, number, tensors);
  await writer.close();
  tell('closed');
}

/** A thread that is ended from outside, when it asks for it. */
async function runWorker() {
  const worker = new Worker(new URL(import.meta.url), { workerData: argument });
  worker.once('message', () => void worker.terminate().then(() => { tell('terminated'); }));
  await new Promise((resolve) => worker.once('exit', resolve));
}

if (isMainThread && moment.ending === 'terminate') await runWorker();
else await run();
