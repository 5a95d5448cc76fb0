/** Device memory, where the process has a driver, which mostly is the double of one. */
import { CudaMemory } from 'snapshard';
import { MiB } from '../../support/bytes.js';
import { defaultStream, loadCudaUser, type CudaUser } from '../../support/cuda_user.js';
import { counted, pattern, sizeOf, type Memory } from './memory.js';
import type { Operation, Program } from './program.js';

export const hasCuda = process.env.SNAPSHARD_CUDA_USER !== undefined;
let loaded: CudaUser | undefined;
const most = 32 * MiB;

function user(): CudaUser {
  loaded ??= loadCudaUser();
  return loaded;
}

function write(memory: CudaMemory, bytes: Uint8Array): void {
  if (bytes.length === 0) return;
  user().write(memory.device, memory.pointer, bytes, defaultStream);
  user().synchronize(memory.device, defaultStream);
}

/** Of all of an allocation, or of a slice; disposed of, or written to, at any time. */
function ofCuda(program: Program, whole: CudaMemory): Memory {
  const { dice } = program;
  const half = whole.bytes >> 1;
  const memory = dice.chance(0.7) ? whole : whole.slice(half, whole.bytes - half);
  let disposed = false;
  write(memory, pattern(dice, new Uint8Array(memory.bytes)));
  program.devices.push(whole);
  return counted({
    data: () => memory,
    bytes: () => {
      if (disposed || memory.bytes === 0) return undefined;
      return user().read(memory.device, memory.pointer, memory.bytes, defaultStream);
    },
    pull: () => {
      if (!dice.chance(0.4)) {
        if (!disposed) write(memory, new Uint8Array(memory.bytes).fill(dice.below(256)));
        return;
      }
      disposed = true;
      dice.pick([() => { whole.dispose(); }, () => { whole[Symbol.dispose](); }])();
    },
  });
}

/** A number of bytes that the machine can bear, or that none has. */
function bearable(args: unknown[]): void {
  if (typeof args[0] === 'number' && args[0] > most && args[0] < 2 ** 40) args[0] = most;
}

function allocate(program: Program): void {
  const bytes = Math.max(2, sizeOf(program.dice));
  const args = program.dice.chance(0.5) ? [bytes] : [bytes, 0];
  program.invoke(CudaMemory, 'allocate', args, (memory) => {
    program.memories.push(ofCuda(program, memory as CudaMemory));
  }, bearable);
}

/** A stream or an event that is none is the caller's own crash. */
function withoutHandles(args: unknown[]): void {
  const [options] = args;
  if (typeof options !== 'object' || options === null) return;
  for (const key of ['stream', 'event']) {
    const value = Object.getOwnPropertyDescriptor(options, key)?.value as unknown;
    if (typeof value === 'bigint') Reflect.deleteProperty(options, key);
  }
}

/** Of memory that is there, in whole, in part, or beyond its end. */
function name(program: Program): void {
  const { dice } = program;
  const whole = dice.anyOf(program.devices);
  const pointer = whole?.pointer ?? BigInt(dice.pick([0, 1, 4096]));
  const options: Record<string, unknown> = { pointer, bytes: dice.pick([0, 1, whole?.bytes ?? 7, 2 ** 30]) };
  if (dice.chance(0.3)) options.device = dice.pick([0, 1, 1023]);
  program.invoke(CudaMemory, 'at', [options], undefined, withoutHandles);
}

function fromIpc(program: Program): void {
  const { dice } = program;
  const handle = pattern(dice, new Uint8Array(dice.pick([64, 66, 3, 0])));
  const options: Record<string, unknown> = { handle, bytes: dice.below(5000) };
  if (dice.chance(0.5)) options.offset = dice.below(100);
  if (dice.chance(0.3)) options.readyEvent = new Uint8Array(64);
  program.invoke(CudaMemory, 'fromIpc', [options]);
}

function slice(program: Program): void {
  const whole = program.dice.anyOf(program.devices);
  if (whole === undefined) return;
  const offset = program.dice.below(whole.bytes + 2);
  program.invoke(whole, 'slice', [offset, program.dice.below(whole.bytes + 1)], (part) => {
    if (program.dice.chance(0.5)) (part as CudaMemory).dispose();
  });
}

/** Where there is no driver, all of it says so. */
export const cudaOperations: readonly (readonly [number, Operation])[] = [
  [hasCuda ? 6 : 0.3, allocate],
  [hasCuda ? 1 : 0.2, name],
  [hasCuda ? 1 : 0.2, fromIpc],
  [hasCuda ? 1 : 0, slice],
];
