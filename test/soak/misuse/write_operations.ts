import { types } from 'node:util';
import { CheckpointWriter, removeCheckpoint, Save, type Lease, type Published } from 'snapshard';
import { MiB } from '../../support/bytes.js';
import { anyMemory, ofLease } from './memory.js';
import type { Operation, Program } from './program.js';
import { saveArguments, type Wanted } from './requests.js';

const writersMax = 3;

/** A pool, threads and a wait that the machine can bear. */
function bearable(args: unknown[]): void {
  const options = args[1];
  if (typeof options !== 'object' || options === null || types.isProxy(options) || Object.isFrozen(options)) return;
  const own = Object.getOwnPropertyDescriptor(options, 'stagingBytes');
  if (own === undefined) Object.defineProperty(options, 'stagingBytes', { value: 4 * MiB, enumerable: true, configurable: true });
  const world = Object.getOwnPropertyDescriptor(options, 'worldSize')?.value as unknown;
  if (typeof world === 'number' && world > 1) Object.defineProperty(options, 'deadlineMs', { value: 50, enumerable: true });
}

function openWriter(program: Program): void {
  const { dice, writers } = program;
  if (writers.length >= writersMax) return;
  const options: Record<string, unknown> = { stagingBytes: (2 + dice.below(4)) * MiB, blockBytes: MiB };
  if (dice.chance(0.3)) options.engine = dice.pick(['auto', 'pwrite', 'io_uring']);
  if (dice.chance(0.3)) options.direct = dice.chance(0.5);
  if (dice.chance(0.2)) options.shardBytes = dice.pick([1, 4096, 100_000]);
  if (dice.chance(0.1)) options.deadlineMs = dice.pick([1, 5, 50, 60_000]);
  if (dice.chance(0.1)) options.queueDepth = dice.pick([1, 256]);
  if (dice.chance(0.1)) options.threads = 1 + dice.below(4);
  if (dice.chance(0.05)) options.cudaDevice = dice.below(2);
  const take = (writer: unknown): void => void writers.push(writer as CheckpointWriter);
  const mend = (args: unknown[]): void => {
    if (args.length < 2 || typeof args[1] !== 'object' || args[1] === null) args[1] = options;
    bearable(args);
  };
  program.invoke(CheckpointWriter, 'open', [program.root, options], take, mend);
}

/** Once staged, the sources may change: what they were until then is what must be read back. */
function follow(program: Program, save: Save, wanted: Wanted, spoilt: boolean): void {
  let unchanged = !spoilt;
  program.judge.call('staged', () => save.staged, () => {
    unchanged &&= wanted.sources.every(({ memory, version }) => memory.version === version && memory.writing === 0);
  });
  program.judge.call('save', () => save, (value) => {
    const { step, digest } = value as Published;
    if (!program.removed.has(step)) program.kept.add(step);
    if (unchanged && wanted.bytes !== undefined) program.expected.push({ digest, tensors: wanted.bytes });
  });
}

function save(program: Program): void {
  const writer = program.dice.anyOf(program.writers);
  if (writer === undefined) {
    openWriter(program);
    return;
  }
  const wanted = saveArguments(program);
  // A thenable: what is handed on is what it resolves with, so that it is caught before.
  const called = { save: (...args: unknown[]): unknown[] => [Reflect.apply(writer.save.bind(writer), writer, args)] };
  program.invoke(called, 'save', wanted.args, (value, spoilt) => {
    const [begun] = value as [Save];
    if (!(begun instanceof Save)) program.judge.find('save() gave no Save');
    program.saves.push(begun);
    if (program.dice.chance(0.8)) follow(program, begun, wanted, spoilt);
  });
}

async function watch(program: Program, iterator: AsyncIterator<unknown>, turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) {
    const { done } = await iterator.next();
    program.hook();
    if (done === true) return;
  }
  if (program.dice.chance(0.4)) await iterator.return?.();
}

/** Left half-way, asked several times at once, or gone through to its end. */
function watchProgress(program: Program): void {
  const { dice, judge } = program;
  const begun = dice.anyOf(program.saves);
  if (begun === undefined) return;
  const iterator = begun.progress();
  if (dice.chance(0.2)) for (let count = 0; count < 3; count += 1) judge.call('progress', () => iterator.next());
  else judge.call('progress', () => watch(program, iterator, dice.pick([1, 2, 1000])));
}

/** A class for a callback is the caller's own mistake, and its error the caller's own. */
export function withoutClasses(args: unknown[]): void {
  for (const [index, value] of args.entries()) {
    if (typeof value === 'function' && Function.prototype.toString.call(value).startsWith('class')) args[index] = undefined;
  }
}

function takeUp(program: Program): void {
  const begun = program.dice.anyOf(program.saves);
  if (begun === undefined) return;
  const way = program.dice.pick(['staged', 'published', 'then', 'catch']);
  if (way === 'staged' || way === 'published') program.judge.call(way, () => begun[way]);
  else program.invoke(begun, way, [() => { program.hook(); }, () => { program.hook(); }], undefined, withoutClasses);
}

function allocate(program: Program): void {
  const writer = program.dice.anyOf(program.writers);
  if (writer === undefined) return;
  program.invoke(writer, 'allocate', [program.dice.pick([1, 4096, 5000, 70_000, MiB, 3 * MiB])], (lease) => {
    program.memories.push(ofLease(program.dice, lease as Lease));
  });
}

function closeWriter(program: Program): void {
  const writer = program.dice.anyOf(program.writers);
  if (writer === undefined) return;
  if (program.dice.chance(0.7)) program.writers.splice(program.writers.indexOf(writer), 1);
  program.invoke(writer, 'close', program.dice.pick<unknown[]>([[], [{ abort: true }], [{ abort: false }]]).map((option) => ({ ...(option as object) })));
  // Spoilt arguments are refused, and leave it open.
  program.judge.call('close', () => (program.dice.chance(0.2) ? writer[Symbol.asyncDispose]() : writer.close()));
  if (writer.root !== program.root) program.judge.find(`the root of a writer is ${writer.root}`);
}

function remove(program: Program): void {
  const step = program.dice.below(5);
  program.removed.add(step);
  program.kept.delete(step);
  program.invoke({ removeCheckpoint }, 'removeCheckpoint', [program.root, step], undefined, ([, other]) => {
    if (typeof other !== 'number') return;
    program.removed.add(other);
    program.kept.delete(other);
  });
}

function pull(program: Program): void {
  const memory = program.dice.anyOf(program.memories);
  if (memory === undefined) return;
  // Only a lease that was pulled already throws.
  program.judge.call('pull', memory.pull);
}

function change(program: Program): void {
  const memory = program.dice.anyOf(program.memories);
  if (memory === undefined) return;
  memory.version += 1;
  memory.bytes()?.fill(program.dice.below(256));
}

function renew(program: Program): void {
  const { dice, memories } = program;
  if (memories.length > 6) memories.splice(dice.below(memories.length), 1);
  memories.push(anyMemory(dice, program.scratch));
}

export const writeOperations: readonly (readonly [number, Operation])[] = [
  [6, openWriter],
  [16, save],
  [5, watchProgress],
  [4, takeUp],
  [3, allocate],
  [2, closeWriter],
  [2, remove],
  [4, pull],
  [3, change],
  [4, renew],
];
