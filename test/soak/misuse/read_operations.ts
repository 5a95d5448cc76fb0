import { copyFileSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { types } from 'node:util';
import { listCheckpoints, latestCheckpoint, openCheckpoint, type Checkpoint, type VerifyReport } from 'snapshard';
import { MiB } from '../../support/bytes.js';
import type { Operation, Program } from './program.js';
import { oneByOne } from './requests.js';
import type { Memory } from './memory.js';
import { withoutClasses } from './write_operations.js';

const checkpointsMax = 4;

/** The memory that reads go through is taken at the first of them. */
function openingOptions({ dice }: Program): Record<string, unknown> {
  const options: Record<string, unknown> = { stagingBytes: 4 * MiB, blockBytes: 2 * MiB };
  if (dice.chance(0.2)) options.direct = false;
  if (dice.chance(0.2)) options.engine = 'pwrite';
  if (dice.chance(0.2)) options.verify = dice.chance(0.5);
  if (dice.chance(0.1)) options.queueDepth = dice.pick([1, 256]);
  if (dice.chance(0.1)) options.threads = 1 + dice.below(4);
  if (dice.chance(0.05)) options.cudaDevice = dice.below(2);
  return options;
}

function namesIn(root: string): string[] {
  return readdirSync(root).filter((name) => name.startsWith('step-')).sort();
}

/** A copy of a shard, which is a file of tensors by itself, and which nobody removes. */
function loneFile({ dice, scratch }: Program, folder: string): string {
  const shard = join(folder, 'model-00001-of-00001.safetensors');
  const path = join(scratch, `lone-${dice.below(2 ** 31)}.safetensors`);
  if (existsSync(shard)) copyFileSync(shard, path);
  return path;
}

function open(program: Program): void {
  const { dice, checkpoints, root } = program;
  if (checkpoints.length >= checkpointsMax) return;
  const options = openingOptions(program);
  const take = (checkpoint: unknown): void => void checkpoints.push(checkpoint as Checkpoint);
  // A default of 256 MiB in each of many programs is more than a small machine has.
  const mend = (args: unknown[]): void => {
    if (typeof args[1] !== 'object' || args[1] === null || types.isProxy(args[1]) || !('stagingBytes' in args[1])) args[1] = options;
  };
  if (dice.chance(0.5)) {
    const latest = dice.chance(0.2) ? { ...options, verifyFirst: dice.chance(0.7) } : options;
    program.invoke({ latestCheckpoint }, 'latestCheckpoint', [root, latest], take, mend);
    return;
  }
  const name = dice.chance(0.9) ? dice.anyOf(namesIn(root)) : undefined;
  const folder = join(root, name ?? 'step-0000000009');
  const path = dice.chance(0.15) ? loneFile(program, folder) : folder;
  program.invoke({ openCheckpoint }, 'openCheckpoint', [path, options], take, mend);
}

function list(program: Program): void {
  program.invoke({ listCheckpoints }, 'listCheckpoints', [program.root], (listed) => {
    for (const { damaged, path } of listed as { damaged: string | undefined; path: string }[]) {
      if (damaged !== undefined) program.judge.find(`${path} is listed as damaged: ${damaged}`);
    }
  });
}

function withOptions(program: Program, args: unknown[], more: object = {}): unknown[] {
  const signal = program.signal();
  return signal === undefined ? args : [...args, { ...more, signal }];
}

function nameIn(program: Program, checkpoint: Checkpoint): string {
  return program.dice.anyOf([...checkpoint.tensors.keys()]) ?? 'none';
}

/** A part of a tensor; now and then one that does not lie in it. */
function sliceOf(program: Program, shape: readonly number[]): { origin: number[]; shape: number[] } {
  const origin = shape.map((length) => program.dice.below(length + 1));
  const rest = shape.map((length, axis) => program.dice.below(length - origin[axis]! + (program.dice.chance(0.05) ? 3 : 1)));
  return { origin, shape: rest };
}

function read(program: Program, checkpoint: Checkpoint): void {
  const name = nameIn(program, checkpoint);
  const shape = checkpoint.tensors.get(name)?.shape ?? [];
  const slice = program.dice.chance(0.5) ? sliceOf(program, shape) : undefined;
  program.invoke(checkpoint, 'read', withOptions(program, [name, slice]));
}

function targetsOf(program: Program, checkpoint: Checkpoint, touched: Memory[]): Record<string, unknown> {
  const targets: Record<string, unknown> = {};
  for (let count = 1 + program.dice.below(3); count > 0; count -= 1) {
    const name = nameIn(program, checkpoint);
    const memory = program.dice.anyOf(program.memories);
    if (memory === undefined) continue;
    touched.push(memory);
    const bytes = checkpoint.tensors.get(name)?.bytes ?? 0;
    const view = memory.bytes();
    targets[name] = program.dice.pick<() => unknown>([
      () => (view === undefined ? memory.data() : view.subarray(0, bytes)),
      () => memory.data(),
      () => new Uint8Array(bytes),
      () => [new Uint8Array(bytes >> 1), new Uint8Array(bytes - (bytes >> 1))],
      () => ({ data: new SharedArrayBuffer(bytes), origin: [0], shape: checkpoint.tensors.get(name)?.shape ?? [] }),
    ])();
  }
  return targets;
}

function readInto(program: Program, checkpoint: Checkpoint): void {
  const touched: Memory[] = [];
  const targets = targetsOf(program, checkpoint, touched);
  const entries = Object.entries(targets);
  const args = withOptions(program, [program.dice.pick<unknown>([targets, targets, new Map(entries), oneByOne(entries, () => { program.hook(); })])]);
  for (const memory of touched) memory.writing += 1;
  const release = (): void => {
    for (const memory of touched) Object.assign(memory, { version: memory.version + 1, writing: memory.writing - 1 });
  };
  program.invoke({ readInto: async (...given: unknown[]) => {
    try {
      return await (Reflect.apply(checkpoint.readInto.bind(checkpoint), checkpoint, given) as Promise<unknown>);
    } finally {
      release();
    }
  } }, 'readInto', args);
}

function readAll(program: Program, checkpoint: Checkpoint): void {
  const signal = program.signal();
  const options = {
    ...(program.dice.chance(0.3) && { names: [nameIn(program, checkpoint)] }),
    ...(program.dice.chance(0.2) && { groups: ['model'] }),
    ...(signal && { signal }),
  };
  program.invoke(checkpoint, 'readAll', program.dice.chance(0.5) ? [options] : []);
}

async function goThrough(program: Program, pieces: AsyncGenerator, turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) {
    const { done } = await pieces.next();
    program.hook();
    if (done === true) return;
  }
  if (program.dice.chance(0.5)) await pieces.return(undefined);
}

function stream(program: Program, checkpoint: Checkpoint): void {
  const args = withOptions(program, [nameIn(program, checkpoint)], { chunkBytes: MiB });
  program.invoke(checkpoint, 'stream', args, (pieces) => {
    const { dice, judge } = program;
    if (dice.chance(0.2)) for (let count = 0; count < 3; count += 1) judge.call('piece', () => (pieces as AsyncGenerator).next());
    else judge.call('stream', () => goThrough(program, pieces as AsyncGenerator, dice.pick([0, 1, 2, 100])));
  });
}

function verify(program: Program, checkpoint: Checkpoint): void {
  const called = { verify: (...args: unknown[]): unknown[] => [Reflect.apply(checkpoint.verify.bind(checkpoint), checkpoint, args)] };
  program.invoke(called, 'verify', withOptions(program, []), (value) => {
    const [verification] = value as [ReturnType<Checkpoint['verify']>];
    if (program.dice.chance(0.1)) program.invoke(verification, program.dice.pick(['then', 'catch']), [() => { program.hook(); }], undefined, withoutClasses);
    if (program.dice.chance(0.3)) program.judge.call('verify progress', () => goThrough(program, verification.progress() as AsyncGenerator, 2));
    program.judge.call('verify', () => verification, (report) => {
      const { damaged } = report as VerifyReport;
      if (damaged.length > 0) program.judge.find(`verify found damage that nobody did: ${JSON.stringify(damaged)}`);
    });
  });
}

function look(_program: Program, checkpoint: Checkpoint): void {
  for (const key of ['path', 'format', 'hasDigests', 'verified', 'step', 'time', 'digest', 'worldSize', 'metadata', 'files', 'passedOver']) {
    Reflect.get(checkpoint, key);
  }
}

function close(program: Program, checkpoint: Checkpoint): void {
  if (program.dice.chance(0.7)) program.checkpoints.splice(program.checkpoints.indexOf(checkpoint), 1);
  program.invoke(checkpoint, 'close', []);
  if (program.dice.chance(0.2)) program.judge.call('close', () => checkpoint[Symbol.asyncDispose]());
}

function file(program: Program, checkpoint: Checkpoint): void {
  program.invoke(checkpoint, 'file', withOptions(program, ['config.json']));
}

function lease(program: Program, checkpoint: Checkpoint): void {
  program.invoke(checkpoint, 'allocate', [program.dice.below(100_000)], (made) => {
    if (program.dice.chance(0.7)) (made as Disposable)[Symbol.dispose]();
  });
}

/** On one that is open, or was closed. */
const on = (operation: (program: Program, checkpoint: Checkpoint) => void): Operation => (program) => {
  const checkpoint = program.dice.anyOf(program.checkpoints);
  if (checkpoint === undefined) open(program);
  else operation(program, checkpoint);
};

export const readOperations: readonly (readonly [number, Operation])[] = [
  [5, open],
  [2, list],
  [4, on(read)],
  [4, on(readInto)],
  [2, on(readAll)],
  [2, on(stream)],
  [2, on(verify)],
  [1, on(file)],
  [1, on(lease)],
  [1, on(look)],
  [2, on(close)],
];
