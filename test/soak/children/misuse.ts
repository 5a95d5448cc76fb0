/** Runs random programs one after the other, and tells of each before it begins and when it has ended. */
import { subscribe } from 'node:diagnostics_channel';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CheckpointWriter, CudaMemory, openCheckpoint } from 'snapshard';
import { MiB } from '../../support/bytes.js';
import { childArgument } from '../../support/child.js';
import { openFiles } from '../../support/process_state.js';
import { checkAfter, endAll } from '../misuse/aftermath.js';
import { hasCuda } from '../misuse/cuda_operations.js';
import { commandOperations } from '../misuse/look_operations.js';
import { workerOperations } from '../misuse/odd_operations.js';
import { plants, type Plant } from '../misuse/plants.js';
import { operations } from '../misuse/operations.js';
import { Program, type Operation } from '../misuse/program.js';
import { ranksOperations } from '../misuse/ranks_operations.js';

export interface MisuseArgument {
  readonly folder: string;
  readonly seeds: readonly number[];
  /** For each program. */
  readonly deadline_ms: number;
  /** Whether it finds a driver of CUDA. */
  readonly withCuda?: boolean;
  /** A fault on purpose, in every program. */
  readonly plant?: Plant;
}

export type MisuseMessage =
  | { readonly begun: number }
  | { readonly ended: number; readonly findings: readonly string[]; readonly ends: readonly (readonly [string, number])[] };

const { folder, seeds, deadline_ms, plant } = childArgument() as MisuseArgument;
/** One in so many has threads in it, or processes, which take long to start, or ranks, which wait for each other. */
const workersEvery = 40;
const commandsEvery = 50;
const ranksEvery = 6;
let current: Program | undefined;
let before: Held = { threads: [], descriptors: [] };
process.on('unhandledRejection', (reason) => {
  const text = reason instanceof Error ? String(reason.stack) : String(reason);
  current?.judge.find(`an unhandled rejection: ${text}`);
});

for (const name of ['published', 'failed']) subscribe(`snapshard:save:${name}`, () => { current?.hook(); });

function operationsOf(seed: number): readonly (readonly [number, Operation])[] {
  return [
    ...operations,
    ...(seed % workersEvery === 0 ? workerOperations : []),
    ...(seed % commandsEvery === 1 ? commandOperations : []),
    ...(seed % ranksEvery === 2 ? ranksOperations : []),
  ];
}

function send(message: MisuseMessage): Promise<void> {
  return new Promise((resolve) => process.send?.(message, () => { resolve(); }));
}

interface Held {
  readonly threads: readonly string[];
  readonly descriptors: readonly string[];
}

/** What Node.js itself was reading in a thread that was ended stays open. */
const ours = (path: string): boolean => path.startsWith(folder) || path.startsWith('anon_inode:');

function nameOf(task: string): string | undefined {
  try {
    return readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/**
 * The kernel's own workers of a ring come and go as it likes; the others stay, as many as were needed at once, and with
 * each that copies from a device, the one of its stream in the driver's double.
 */
const staying = hasCuda ? /^(iou-|snapshard-(block|stage|cuda)$|node$)/ : /^(iou-|snapshard-(block|stage)$)/;

/** Names of threads, and what descriptors are. */
function held(): Held {
  const threads = readdirSync('/proc/self/task').map(nameOf).filter((name) => name !== undefined);
  return { threads: threads.filter((name) => !staying.test(name)), descriptors: openFiles().filter(ours) };
}

function beyond(now: readonly string[], before: readonly string[]): string[] {
  const rest = [...now];
  for (const name of before) if (rest.includes(name)) rest.splice(rest.indexOf(name), 1);
  return rest;
}

/** Threads and descriptors go a little after what they were of; nobody waits for a disk that met no deadline. */
async function expectNoMore(program: Program): Promise<void> {
  const late = [...program.judge.ends.keys()].some((end) => end.endsWith('_DEADLINE'));
  const patience_ms = late ? 60_000 : 5000;
  const started_ms = performance.now();
  for (;;) {
    const now = held();
    const more = [...beyond(now.threads, before.threads), ...beyond(now.descriptors, before.descriptors)];
    if (more.length === 0) return;
    if (performance.now() - started_ms > patience_ms) {
      program.judge.find(`more is held than before: ${more.join(', ')}`);
      before = now;
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function within(program: Program, action: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      program.judge.find(`hangs: ${program.judge.pending.join(', ')}`);
      resolve();
    }, deadline_ms);
  });
  await Promise.race([action().catch((error: unknown) => { program.judge.find(`afterwards: ${String((error as Error).stack)}`); }), late]);
  clearTimeout(timer);
}

async function runOne(seed: number): Promise<void> {
  await send({ begun: seed });
  const program = new Program(seed, folder, operationsOf(seed));
  current = program;
  await within(program, async () => {
    await program.run();
    await endAll(program);
    if (plant !== undefined) plants[plant](program);
    await program.judge.quiet();
    await checkAfter(program);
  });
  await expectNoMore(program);
  const { findings, ends } = program.judge;
  await send({ ended: seed, findings, ends: [...ends] });
  rmSync(program.root, { recursive: true, force: true });
  rmSync(program.scratch, { recursive: true, force: true });
}

/** The first save and read start what stays for the life of the process. */
async function warmUp(): Promise<void> {
  const root = mkdtempSync(join(folder, 'warm-'));
  const writer = await CheckpointWriter.open(root, { stagingBytes: 4 * MiB, blockBytes: MiB, threads: 8 });
  const device = hasCuda ? CudaMemory.allocate(100) : undefined;
  const more = device && { device: { dtype: 'U8' as const, shape: [100], data: device } };
  const { path } = await writer.save({ step: 1, tensors: { a: new Uint8Array(5 * MiB), ...more } });
  const checkpoint = await openCheckpoint(path, { stagingBytes: 4 * MiB, blockBytes: 2 * MiB });
  await checkpoint.verify();
  if (device !== undefined) await checkpoint.readInto({ device });
  device?.dispose();
  await checkpoint.close();
  await writer.close();
  rmSync(root, { recursive: true });
}

await warmUp();
before = held();
for (const seed of seeds) await runOne(seed);
process.disconnect();
