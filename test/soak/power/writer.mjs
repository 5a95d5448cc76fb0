/**
 * Carries out a program of saves and removals (`WriterProgram` of program.ts), and tells what is about to happen and
 * what has happened, a line each. It goes on when the line is answered.
 */
import { createInterface } from 'node:readline';
import { CheckpointWriter, removeCheckpoint } from 'snapshard';

const { root, options, operations } = JSON.parse(process.argv[2]);
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const writer = await CheckpointWriter.open(root, options);

async function tell(mark) {
  console.log(JSON.stringify(mark));
  await answers.next();
}

function fill(bytes, seed) {
  const words = new Uint32Array(Math.ceil(bytes / 4));
  for (let at = 0, state = seed; at < words.length; at++) words[at] = state = Math.imul(state, 1664525) + 1013904223;
  return new Uint8Array(words.buffer, 0, bytes);
}

function requestOf({ step, seed, tensorBytes, overwrite }) {
  const tensors = Object.fromEntries(tensorBytes.map((bytes, index) => [`tensor${index}`, fill(bytes, seed + index)]));
  return { step, overwrite, tensors, metadata: { seed }, files: { 'config.json': JSON.stringify({ seed }) } };
}

async function saveAll(saves) {
  for (const { step } of saves) await tell({ kind: 'saving', step });
  const running = saves.map((save) => writer.save(requestOf(save)));
  for (const save of running) {
    const { step, digest } = await save;
    await tell({ kind: 'published', step, digest });
  }
}

async function remove(step) {
  await tell({ kind: 'removing', step });
  await removeCheckpoint(root, step);
  await tell({ kind: 'removed', step });
}

for (const { saves, removes } of operations) await (saves === undefined ? remove(removes) : saveAll(saves));
await writer.close();
process.stdin.destroy();
