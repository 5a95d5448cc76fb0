/**
 * Carries out a program of saves and removals (`WriterProgram` of program.ts), and tells what is about to happen and
 * what has happened, a line each. It goes on when the line is answered.
 */
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { CheckpointWriter, removeCheckpoint } from 'snapshard';

const { root, options, ranks, operations } = JSON.parse(process.argv[2]);
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const worldSize = ranks;
const writers = await Promise.all(
  Array.from({ length: ranks }, (_, rank) => CheckpointWriter.open(root, { ...options, rank, worldSize, runId: 'run' })),
);

async function tell(mark) {
  console.log(JSON.stringify(mark));
  await answers.next();
}

function fill(bytes, seed) {
  const words = new Uint32Array(Math.ceil(bytes / 4));
  for (let at = 0, state = seed; at < words.length; at++) words[at] = state = Math.imul(state, 1664525) + 1013904223;
  return new Uint8Array(words.buffer, 0, bytes);
}

/** The ranks share the tensors out among them. */
function requestOf({ step, seed, tensorBytes, overwrite }, rank) {
  const filled = tensorBytes.map((bytes, index) => [`tensor${index}`, fill(bytes, seed + index)]);
  const tensors = filled.filter((_, index) => index % ranks === rank);
  return { step, overwrite, tensors, metadata: { seed }, files: { 'config.json': JSON.stringify({ seed }) } };
}

/** What one rank is told holds, whichever it is. */
async function saveAll(saves) {
  for (const { step } of saves) await tell({ kind: 'saving', step });
  const running = saves.map((save) => writers.map((writer, rank) => writer.save(requestOf(save, rank))));
  for (const saving of running) {
    const { step, digest } = await Promise.race(saving);
    await tell({ kind: 'published', step, digest });
    await Promise.all(saving);
  }
}

async function die(save, after_ms) {
  await tell({ kind: 'dying', step: save.step });
  for (const [rank, writer] of writers.entries()) writer.save(requestOf(save, rank)).then(() => {});
  await setTimeout(after_ms);
  process.kill(process.pid, 'SIGKILL');
}

async function remove(step) {
  await tell({ kind: 'removing', step });
  await removeCheckpoint(root, step);
  await tell({ kind: 'removed', step });
}

for (const { saves, dies, after_ms, removes } of operations) {
  if (saves !== undefined) await saveAll(saves);
  else if (dies !== undefined) await die(dies, after_ms);
  else await remove(removes);
}
await Promise.all(writers.map((writer) => writer.close()));
process.stdin.destroy();
