import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { CheckpointWriter, listCheckpoints, openCheckpoint, removeCheckpoint, type ListedCheckpoint } from 'snapshard';
import { checkCheckpoint } from '../../examples/check.js';
import { parseStepDirectory } from '../../lib/layout/names.js';
import { MiB, randomBytes } from '../support/bytes.js';

/** What a writer told before it ended. */
export interface Told {
  readonly step: number;
  /** Of its manifest, where known. */
  readonly digest?: string;
}

const leftover = /^\.(step-.*\.partial|dead-.*|session-.*)$/;
const reading = { stagingBytes: 16 * MiB };

/** What died writers left in a root. */
export function leftoversIn(root: string): string[] {
  return readdirSync(root).filter((name) => leftover.test(name));
}

/** Checkpoints of a root that others have replaced, and that are there all the same. */
export function replacedIn(root: string): string[] {
  const steps = readdirSync(root).flatMap((name) => {
    const parsed = parseStepDirectory(name);
    return parsed === undefined ? [] : [{ name, ...parsed }];
  });
  const isReplaced = ({ step, generation }: (typeof steps)[number]): boolean =>
    steps.some((other) => other.step === step && other.generation > generation);
  return steps.filter(isReplaced).map(({ name }) => name);
}

/** Verifies one checkpoint in full, by the library and by the checker that shares no code with it. */
export async function expectWhole(path: string): Promise<void> {
  const checkpoint = await openCheckpoint(path, reading);
  try {
    const { damaged, hasDigests } = await checkpoint.verify();
    assert.deepEqual(damaged, [], `${path} is damaged.`);
    assert(hasDigests, `${path} has no digests.`);
  } finally {
    await checkpoint.close();
  }
  await checkCheckpoint(path);
}

/**
 * Every checkpoint that is listed verifies in full, and the newest is no older than what the writer told last. Changes
 * nothing. To be called from a process other than the writer's, or after it has ended.
 */
export async function expectListedWhole(root: string, told?: Told): Promise<ListedCheckpoint[]> {
  const listed = await listCheckpoints(root);
  for (const { path, damaged } of listed) {
    assert.equal(damaged, undefined, `${path} is listed and damaged.`);
    await expectWhole(path);
  }
  if (told === undefined) return listed;
  const newest = listed.at(-1);
  assert(newest !== undefined, `Step ${told.step} was told as published, and nothing is listed.`);
  assert(newest.step >= told.step, `Step ${told.step} was told as published, and the newest is ${newest.step}.`);
  if (newest.step !== told.step || told.digest === undefined || newest.generation > 1) return listed;
  assert.equal(newest.digest, told.digest, `Step ${told.step} is not what was told as published.`);
  return listed;
}

async function expectReadsBack(path: string, data: Uint8Array): Promise<void> {
  const checkpoint = await openCheckpoint(path, reading);
  try {
    const read = await checkpoint.read('data');
    assert(Buffer.compare(read.data, data) === 0, `${path} holds other bytes than were saved.`);
  } finally {
    await checkpoint.close();
  }
}

/**
 * The next writer removes what is left, saves the step that was under way, and reads it back.
 * @param live names that a writer which still lives holds, and which must stay
 */
export async function expectContinues(root: string, step: number, live: readonly string[] = []): Promise<void> {
  const data = randomBytes(3 * MiB + 17);
  const before = await listCheckpoints(root);
  const writer = await CheckpointWriter.open(root, { stagingBytes: 8 * MiB, blockBytes: MiB });
  try {
    assert.deepEqual(leftoversIn(root).sort(), [...live].sort(), 'The next writer did not remove what was left.');
    assert.deepEqual(replacedIn(root), [], 'The next writer did not remove what was replaced.');
    const { path } = await writer.save({ step, tensors: { data }, overwrite: true });
    await expectReadsBack(path, data);
    await expectWhole(path);
  } finally {
    await writer.close();
  }
  assert.deepEqual(leftoversIn(root).sort(), [...live].sort(), 'A save left something behind.');
  const after = new Set((await listCheckpoints(root)).map((checkpoint) => checkpoint.step));
  for (const { step: kept } of before) assert(after.has(kept), `Step ${kept} was lost when step ${step} was saved.`);
  await removeCheckpoint(root, step);
}

/** All of it: what is listed is whole, and a new writer continues with the step that was under way. */
export async function expectInvariant(root: string, told: Told | undefined, nextStep: number): Promise<void> {
  await expectListedWhole(root, told);
  await expectContinues(root, nextStep);
}
