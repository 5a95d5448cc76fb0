import { Worker } from 'node:worker_threads';
import { capabilities, Checkpoint, CheckpointWriter, fileSource, Save, SnapshardError, Verification } from 'snapshard';
import { garbage } from './garbage.js';
import type { Operation, Program } from './program.js';

/** What no caller can make: they may throw anything, and must not crash. */
function forge(program: Program): void {
  const { dice, judge } = program;
  const made = dice.pick<object>([CheckpointWriter, Checkpoint, Save, Verification, SnapshardError]);
  const methods = Reflect.ownKeys((made as { prototype: object }).prototype);
  try {
    const forged: unknown = dice.chance(0.5)
      ? Reflect.construct(made as new () => object, [garbage(dice), garbage(dice), garbage(dice)])
      : Object.create((made as { prototype: object }).prototype);
    const method: unknown = Reflect.get(forged as object, dice.pick(methods));
    if (typeof method !== 'function') return;
    const result: unknown = Reflect.apply(method, forged, [garbage(dice)]);
    if (result instanceof Promise) result.catch(() => undefined);
  } catch {
    judge.count('forged: threw');
  }
}

function borrow(program: Program): void {
  const { dice } = program;
  const method = dice.pick(['save', 'allocate', 'close']);
  const stolen = Reflect.get(CheckpointWriter.prototype, method) as (...args: unknown[]) => unknown;
  try {
    const result: unknown = Reflect.apply(stolen, garbage(dice), [garbage(dice)]);
    if (result instanceof Promise) result.catch(() => undefined);
  } catch {
    program.judge.count('borrowed: threw');
  }
}

function nameFile(program: Program): void {
  program.invoke({ fileSource }, 'fileSource', [{ path: '/dev/zero', offset: 0, bytes: program.dice.below(100) }]);
}

function ask(program: Program): void {
  program.invoke({ capabilities }, 'capabilities', []);
}

function collect(): void {
  globalThis.gc?.();
}

export const oddOperations: readonly (readonly [number, Operation])[] = [
  [1, forge],
  [0.5, borrow],
  [1, nameFile],
  [0.5, ask],
  [0.7, collect],
];

/** Another thread that does the same in the same root, and is ended at any time. */
function startWorker(program: Program): void {
  const { dice, judge, root } = program;
  const workerData = { seed: dice.below(2 ** 31), root };
  const worker = new Worker(new URL('../children/misuse_worker.mjs', import.meta.url), { workerData, execArgv: [] });
  const patience_ms = dice.below(1500);
  worker.on('error', (error) => {
    judge.find(`worker ${workerData.seed}: ${String(error.stack)}`);
  });
  worker.on('message', (findings: string[]) => {
    for (const text of findings) judge.find(`worker ${workerData.seed}: ${text}`);
  });
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  const timer = setTimeout(() => void worker.terminate(), patience_ms);
  program.workers.push(ended.then(() => { clearTimeout(timer); }));
  judge.call('worker', () => ended);
}

export const workerOperations: readonly (readonly [number, Operation])[] = [[1, startWorker]];
