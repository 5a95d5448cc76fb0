import assert from 'node:assert/strict';
import { closeSync, constants, openSync, readdirSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Checkpoint,
  CheckpointWriter,
  latestCheckpoint,
  listCheckpoints,
  openCheckpoint,
  removeCheckpoint,
  type WriterOptions,
} from 'snapshard';
import type { Dice } from '../misuse/dice.js';
import { expectNoSecret, tensorsOf } from './canary.js';

export interface Surroundings {
  readonly root: string;
  readonly dice: Dice;
}

export type Operation = (surroundings: Surroundings) => Promise<void>;

const steps = 6;
const writerOptions: WriterOptions = { stagingBytes: 2 ** 23, blockBytes: 2 ** 20, deadlineMs: 20_000 };
const readOptions = { stagingBytes: 2 ** 23 };

async function saveSome(root: string, dice: Dice, options: WriterOptions): Promise<void> {
  const writer = await CheckpointWriter.open(root, { ...writerOptions, ...options });
  try {
    for (let saves = 1 + dice.below(3); saves > 0; saves -= 1) {
      const request = { step: 1 + dice.below(steps), tensors: tensorsOf('plain '), files: { 'config.json': '{}' } };
      await writer.save({ ...request, overwrite: dice.chance(0.95) });
    }
  } finally {
    await writer.close();
  }
}

let runs = 0;

async function readAll(checkpoint: Checkpoint): Promise<void> {
  expectNoSecret(JSON.stringify(checkpoint.metadata), 'metadata');
  for (const name of checkpoint.tensors.keys()) {
    expectNoSecret((await checkpoint.read(name)).data, `tensor ${name}`);
  }
  for (const name of checkpoint.files.keys()) expectNoSecret(await checkpoint.file(name), `side file ${name}`);
}

const latest: Operation = async ({ root, dice }) => {
  const checkpoint = await latestCheckpoint(root, { ...readOptions, ...(dice.chance(0.3) && { verify: true }) });
  try {
    await readAll(checkpoint);
    await checkpoint.verify();
  } finally {
    await checkpoint.close();
  }
};

/** By its own path, which is followed as any path is: only its end counts. */
const byPath: Operation = async ({ root, dice }) => {
  const listed = dice.anyOf(await listCheckpoints(root));
  if (listed === undefined) return;
  const checkpoint = await openCheckpoint(listed.path, readOptions);
  try {
    await checkpoint.verify();
  } finally {
    await checkpoint.close();
  }
};

const list: Operation = async ({ root }) => {
  for (const { metadata } of await listCheckpoints(root)) expectNoSecret(JSON.stringify(metadata ?? {}), 'metadata');
};

const save: Operation = ({ root, dice }) => saveSome(root, dice, {});

const saveAsRanks: Operation = async ({ root, dice }) => {
  const runId = `run ${runs++}`;
  const step = 1 + dice.below(steps);
  const saveOne = async (rank: number): Promise<void> => {
    const writer = await CheckpointWriter.open(root, { ...writerOptions, rank, worldSize: 2, runId, deadlineMs: 1500 });
    try {
      await writer.save({ step, tensors: { [`part ${rank}`]: tensorsOf('plain ').data! }, overwrite: true });
    } finally {
      await writer.close();
    }
  };
  const ends = await Promise.allSettled([saveOne(0), saveOne(1)]);
  const failed = ends.find((end): end is PromiseRejectedResult => end.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
};

const sweep: Operation = async ({ root }) => {
  await (await CheckpointWriter.open(root, writerOptions)).close();
};

const remove: Operation = ({ root, dice }) => removeCheckpoint(root, 1 + dice.below(steps));

function withFile(path: string, flags: number, use: (file: number) => void): void {
  const file = openSync(path, flags | constants.O_NONBLOCK);
  try {
    use(file);
  } finally {
    closeSync(file);
  }
}

function fileOf({ root, dice }: Surroundings): string {
  const names = readdirSync(root).filter((name) => name.startsWith('step-'));
  return join(root, dice.anyOf(names) ?? '', 'config.json');
}

/** What the class must find: code that trusts names. */
const planted = {
  write: (surroundings: Surroundings): void => {
    withFile(fileOf(surroundings), constants.O_WRONLY | constants.O_CREAT, (file) => writeSync(file, 'planted'));
  },
  read: (surroundings: Surroundings): void => {
    withFile(fileOf(surroundings), constants.O_RDONLY, (file) => {
      const bytes = Buffer.alloc(100);
      readSync(file, bytes);
      expectNoSecret(bytes, 'a plant');
    });
  },
  uncoded: (): void => {
    throw new Error('planted');
  },
  hang: (): Promise<void> => new Promise(() => undefined),
};

export type HostilePlant = keyof typeof planted;

/** Plants fail in many ways that do not count: only what they let happen does. */
export function plantOf(plant: HostilePlant): Operation {
  return async (surroundings) => {
    for (let times = 0; times < 1000; times += 1) {
      try {
        await planted[plant](surroundings);
      } catch (error) {
        if (plant === 'uncoded' || error instanceof assert.AssertionError) throw error;
      }
    }
  };
}

export const operations: readonly (readonly [number, string, Operation])[] = [
  [5, 'save', save],
  [1, 'save as ranks', saveAsRanks],
  [4, 'latest', latest],
  [2, 'by path', byPath],
  [2, 'list', list],
  [2, 'sweep', sweep],
  [2, 'remove', remove],
];
