/** One trial of `bench restore` in a process of its own: saves what is read later, or opens a checkpoint and reads. */
import { execFileSync } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import {
  CheckpointWriter,
  openCheckpoint,
  type Checkpoint,
  type CheckpointOptions,
  type ReadReport,
  type SliceTarget,
} from 'snapshard';
import { answerParent } from '../lib/bench/child.js';
import { forgetPeak, peakResidentBytes, readFromDiskBytes, residentBytes } from '../lib/bench/resident.js';
import { makeTensors } from './sources.js';
import { MiB } from './units.js';

/**
 * `save`: makes the checkpoint. The others open it, and then: nothing more; `verify`; read. `leases` have been touched,
 * so that their memory is there; `fresh leases` have not.
 */
export type RestoreWork = 'save' | 'open' | 'verify' | 'leases' | 'fresh leases' | 'buffers' | 'columns' | 'small';

export interface RestoreTrial {
  work: RestoreWork;
  /** Of the checkpoint; for `save`, its root. */
  path: string;
  /** Unix time before which nothing is read, so that the device has rested. */
  startAt_ms: number;
  /** What it will need. */
  memoryBytes: number;
  options: CheckpointOptions;
  /** For `save`: tensors of which shape, and how many. */
  shape: number[];
  tensors: number;
}

export interface RestoreMeasure {
  /** Handed out, compared, or saved. */
  bytes: number;
  /** From the call of `openCheckpoint` to the end of the read, without the touching of leases; of that, the opening. */
  seconds: number;
  openSeconds: number;
  cpuSeconds: number;
  /** Bytes of data asked of the file system; 0 where that is not told. */
  readBytes: number;
  /** Bytes that the kernel counts as read from the device meanwhile, manifests not included. */
  fromDiskBytes: number;
  /** Peak resident memory, less what was there before the opening, less targets, less `stagingBytes`. */
  residentBeyondBytes: number;
  how: string;
}

/** What a read gave. */
interface Outcome {
  bytes: number;
  /** Memory of the caller's that it filled. */
  targetBytes: number;
  report?: ReadReport;
}

export const smallTensor = 'layers.0.norm';
const smallElements = 2048;
const columnsPart = 4;
const defaultStagingBytes = 256 * MiB;
const leaseWork: readonly RestoreWork[] = ['leases', 'fresh leases'];

/**
 * Has another process touch so much memory, and end. A virtual machine may have lent memory that is free to its host,
 * and gets it back so slowly that nothing else would be measured.
 */
function haveMemory(bytes: number): void {
  const script = `for (let left = ${bytes}; left > 0; left -= 2 ** 28) globalThis['b' + left] = Buffer.alloc(2 ** 28, 1)`;
  execFileSync(process.execPath, ['-e', script]);
}

async function saveCheckpoint({ path, shape, tensors: count }: RestoreTrial): Promise<RestoreMeasure> {
  const elements = shape.reduce((product, extent) => product * extent, 1);
  const tensors = makeTensors(count, count * elements * 2);
  for (const [name, tensor] of tensors) tensors.set(name, { ...tensor, shape });
  const data = new Uint16Array(smallElements).fill(1);
  tensors.set(smallTensor, { dtype: 'BF16', shape: [smallElements], data });
  await using writer = await CheckpointWriter.open(path);
  const { bytes } = await writer.save({ step: 1, tensors });
  const none = { openSeconds: 0, cpuSeconds: 0, readBytes: 0, fromDiskBytes: 0, residentBeyondBytes: 0 };
  return { bytes, seconds: 0, ...none, how: '' };
}

/** A lease for each tensor, or for the first part of the columns of those of two dimensions. */
function targetsFor(checkpoint: Checkpoint, work: RestoreWork): [string, SliceTarget][] {
  const columns = work === 'columns' ? columnsPart : 1;
  const all = [...checkpoint.tensors.values()];
  const wanted = all.filter(({ name, shape }) => {
    if (work === 'small') return name === smallTensor;
    return work === 'columns' ? shape.length === 2 : leaseWork.includes(work);
  });
  return wanted.map(({ name, shape, bytes }) => {
    const { buffer: data } = checkpoint.allocate(bytes / columns);
    const origin = shape.map(() => 0);
    return [name, { data, origin, shape: shape.with(-1, shape.at(-1)! / columns) }];
  });
}

function touch(targets: [string, SliceTarget][]): void {
  for (const [, { data }] of targets) new Uint8Array(data as ArrayBuffer).fill(1);
}

async function verify(checkpoint: Checkpoint): Promise<Outcome> {
  const { bytes, damaged } = await checkpoint.verify();
  if (damaged.length > 0) throw new Error(`the checkpoint is damaged: ${JSON.stringify(damaged[0])}`);
  return { bytes, targetBytes: 0 };
}

async function readBuffers(checkpoint: Checkpoint): Promise<Outcome> {
  const all = await checkpoint.readAll();
  const bytes = [...all.values()].reduce((sum, { data }) => sum + data.length, 0);
  return { bytes, targetBytes: bytes };
}

async function read(checkpoint: Checkpoint, work: RestoreWork, targets: [string, SliceTarget][]): Promise<Outcome> {
  if (work === 'open') return { bytes: 0, targetBytes: 0 };
  if (work === 'verify') return verify(checkpoint);
  if (work === 'buffers') return readBuffers(checkpoint);
  const report = await checkpoint.readInto(targets);
  return { bytes: report.bytes, targetBytes: report.bytes, report };
}

function howOf({ report }: Outcome): string {
  if (report === undefined) return '';
  const { engine, direct, engineReason, directReason, verified } = report;
  const reason = [engineReason, directReason].filter(Boolean).join('; ');
  return `${engine}, direct ${direct}, verified ${verified ? 'yes' : 'no'}${reason ? ` (${reason})` : ''}`;
}

/** Processor and elapsed seconds. */
interface Time {
  cpuSeconds: number;
  seconds: number;
}

async function timed<T>(run: () => Promise<T>): Promise<[T, Time]> {
  const before = process.cpuUsage();
  const start_ms = performance.now();
  const value = await run();
  const seconds = (performance.now() - start_ms) / 1000;
  const { user, system } = process.cpuUsage(before);
  return [value, { seconds, cpuSeconds: (user + system) / 1e6 }];
}

async function measure(trial: RestoreTrial): Promise<RestoreMeasure> {
  const { path, work, startAt_ms, options } = trial;
  globalThis.gc?.();
  await setTimeout(Math.max(0, startAt_ms - Date.now()));
  haveMemory(trial.memoryBytes);
  const before = residentBytes();
  forgetPeak();
  const [checkpoint, opening] = await timed(() => openCheckpoint(path, options));
  const targets = targetsFor(checkpoint, work);
  if (work === 'leases') touch(targets);
  const fromDiskBefore = readFromDiskBytes();
  const [outcome, reading] = await timed(() => read(checkpoint, work, targets));
  const fromDiskBytes = readFromDiskBytes() - fromDiskBefore;
  const stagingBytes = work === 'open' ? 0 : (options.stagingBytes ?? defaultStagingBytes);
  const residentBeyondBytes = peakResidentBytes() - before - outcome.targetBytes - stagingBytes;
  await checkpoint.close();
  return {
    bytes: outcome.bytes,
    seconds: opening.seconds + reading.seconds,
    openSeconds: opening.seconds,
    cpuSeconds: opening.cpuSeconds + reading.cpuSeconds,
    readBytes: outcome.report?.readBytes ?? 0,
    fromDiskBytes,
    residentBeyondBytes,
    how: howOf(outcome),
  };
}

answerParent((trial: RestoreTrial) => (trial.work === 'save' ? saveCheckpoint(trial) : measure(trial)));
