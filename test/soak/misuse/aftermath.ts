import { readdirSync } from 'node:fs';
import { CheckpointWriter, listCheckpoints, openCheckpoint, type ListedCheckpoint } from 'snapshard';
import { MiB } from '../../support/bytes.js';
import { leftoversIn } from '../invariant.js';
import type { Program } from './program.js';

const reading = { stagingBytes: 4 * MiB, blockBytes: 2 * MiB };

/** Ends everything the program holds, in any order. */
export async function endAll(program: Program): Promise<void> {
  const { writers, checkpoints, controllers, dice, judge, memories, workers } = program;
  program.ending = true;
  for (const controller of controllers) if (dice.chance(0.5)) controller.abort();
  await Promise.all(workers);
  for (const checkpoint of checkpoints) judge.call('close', () => checkpoint.close());
  for (const writer of writers) judge.call('close', () => writer.close(dice.chance(0.5) ? { abort: true } : {}));
  await judge.quiet();
  // What was being opened.
  for (const writer of writers) judge.call('close', () => writer.close());
  for (const checkpoint of checkpoints) judge.call('close', () => checkpoint.close());
  await judge.quiet();
  memories.length = 0;
  for (const memory of program.devices) memory.dispose();
}

async function expectAsSaved(program: Program, listed: ListedCheckpoint): Promise<void> {
  const checkpoint = await openCheckpoint(listed.path, reading);
  try {
    const { damaged } = await checkpoint.verify();
    if (damaged.length > 0) program.judge.find(`${listed.path} is damaged: ${JSON.stringify(damaged)}`);
    const saved = program.expected.find(({ digest }) => digest === listed.digest);
    if (saved === undefined) return;
    const tensors = await checkpoint.readAll();
    for (const [name, bytes] of saved.tensors) {
      const read = tensors.get(name)?.data;
      if (read === undefined || Buffer.compare(read, bytes) !== 0) {
        program.judge.find(`${listed.path} does not hold of ${JSON.stringify(name)} what was saved`);
      }
    }
    program.judge.count('read back');
  } finally {
    await checkpoint.close();
  }
}

/** What must be so when a program has ended and everything is closed. */
export async function checkAfter(program: Program): Promise<void> {
  const { root, judge, kept, workers } = program;
  const left = leftoversIn(root);
  // Of ranks that did not agree, one may still want to know why, or still wrote to what another gave up.
  if (workers.length === 0 && program.ranks === 0 && left.length > 0) judge.find(`left behind: ${left.join(', ')}`);
  if (left.length > 0) {
    await (await CheckpointWriter.open(root, { ...reading, blockBytes: MiB })).close();
    if (leftoversIn(root).length > 0) judge.find(`the next writer left ${leftoversIn(root).join(', ')}`);
  }
  const listed = await listCheckpoints(root);
  for (const each of listed) {
    if (each.damaged !== undefined) judge.find(`${each.path} is listed and damaged: ${each.damaged}`);
    else await expectAsSaved(program, each);
  }
  // A worker removes steps too.
  const steps = new Set(listed.map(({ step }) => step));
  for (const step of kept) if (workers.length === 0 && !steps.has(step)) judge.find(`step ${step} was published, and is gone`);
  if (steps.size < readdirSync(root).filter((name) => name.startsWith('step-')).length && workers.length === 0) {
    judge.find(`beside what is listed there is ${readdirSync(root).join(', ')}`);
  }
}
