/** One trial of `bench restore` in a process of its own: saves what is read later, or opens a checkpoint and reads. */
import { setTimeout } from 'node:timers/promises';
import {
  CheckpointWriter,
  openCheckpoint,
  type Checkpoint,
  type CheckpointOptions,
  type ReadReport,
  type Target,
  type TensorInfo,
} from 'snapshard';
import { answerParent } from './child.js';
import { forgetPeak, peakResidentBytes, readFromDiskBytes, residentBytes } from './resident.js';
import { makeTensors } from './sources.js';
import { MiB } from './units.js';

/** `save`: makes the checkpoint. The others open it, and then: nothing more; `verify`; read. */
export type RestoreWork = 'save' | 'open' | 'verify' | 'leases' | 'buffers' | 'columns' | 'small';

export interface RestoreTrial {
  work: RestoreWork;
  /** Of the checkpoint; for `save`, its root. */
  path: string;
  /** Unix time before which nothing is read, so that the device has rested. */
  startAt_ms: number;
  options: CheckpointOptions;
  /** For `save`: tensors of which shape, and how many. */
  shape: number[];
  tensors: number;
}

export interface RestoreMeasure {
  /** Handed out, compared, or saved. */
  bytes: number;
  /** From the call of `openCheckpoint` to the end of the read; and of that, the opening. */
  seconds: number;
  openSeconds: number;
  cpuSeconds: number;
  /** Of a second read into the same leases; 0 where there was none. */
  nextSeconds: number;
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
  /** Reads the same again, to the same place. */
  again?: () => Promise<unknown>;
}

export const smallTensor = 'layers.0.norm';
const smallElements = 2048;
const columnsPart = 4;
const defaultStagingBytes = 256 * MiB;

async function saveCheckpoint({ path, shape, tensors: count }: RestoreTrial): Promise<RestoreMeasure> {
  const elements = shape.reduce((product, extent) => product * extent, 1);
  const tensors = makeTensors(count, count * elements * 2);
  for (const [name, tensor] of tensors) tensors.set(name, { ...tensor, shape });
  const data = new Uint16Array(smallElements).fill(1);
  tensors.set(smallTensor, { dtype: 'BF16', shape: [smallElements], data });
  await using writer = await CheckpointWriter.open(path);
  const { bytes } = await writer.save({ step: 1, tensors });
  const none = { openSeconds: 0, cpuSeconds: 0, nextSeconds: 0, readBytes: 0, fromDiskBytes: 0, residentBeyondBytes: 0 };
  return { bytes, seconds: 0, ...none, how: '' };
}

/** Each tensor, or of those of two dimensions the first part of the columns, into a lease of its own. */
function leasesFor(checkpoint: Checkpoint, tensors: Iterable<TensorInfo>, columns = 1): [string, Target][] {
  return Array.from(tensors, ({ name, shape, bytes }) => {
    const [rows, width] = shape;
    const data = checkpoint.allocate(bytes / columns);
    if (columns === 1) return [name, data];
    return [name, { data, origin: [0, 0], shape: [rows!, width! / columns] }];
  });
}

async function readLeases(checkpoint: Checkpoint, targets: [string, Target][]): Promise<Outcome> {
  const report = await checkpoint.readInto(targets);
  return { bytes: report.bytes, targetBytes: report.bytes, report, again: () => checkpoint.readInto(targets) };
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

function read(checkpoint: Checkpoint, work: RestoreWork): Promise<Outcome> {
  const all = [...checkpoint.tensors.values()];
  switch (work) {
    case 'verify':
      return verify(checkpoint);
    case 'buffers':
      return readBuffers(checkpoint);
    case 'columns':
      return readLeases(checkpoint, leasesFor(checkpoint, all.filter(({ shape }) => shape.length === 2), columnsPart));
    case 'small':
      return readLeases(checkpoint, leasesFor(checkpoint, [checkpoint.tensors.get(smallTensor)!]));
    case 'open':
      return Promise.resolve({ bytes: 0, targetBytes: 0 });
    default:
      return readLeases(checkpoint, leasesFor(checkpoint, all));
  }
}

function howOf({ report }: Outcome): string {
  if (report === undefined) return '';
  const { engine, direct, engineReason, directReason, verified } = report;
  const reason = [engineReason, directReason].filter(Boolean).join('; ');
  return `${engine}, direct ${direct}, verified ${verified ? 'yes' : 'no'}${reason ? ` (${reason})` : ''}`;
}

async function secondsOf(run: () => Promise<unknown>): Promise<number> {
  const start_ms = performance.now();
  await run();
  return (performance.now() - start_ms) / 1000;
}

async function measure({ path, work, startAt_ms, options }: RestoreTrial): Promise<RestoreMeasure> {
  globalThis.gc?.();
  await setTimeout(Math.max(0, startAt_ms - Date.now()));
  const before = residentBytes();
  forgetPeak();
  const cpuBefore = process.cpuUsage();
  const start_ms = performance.now();
  const checkpoint = await openCheckpoint(path, options);
  const opened_ms = performance.now();
  const fromDiskBefore = readFromDiskBytes();
  const outcome = await read(checkpoint, work);
  const end_ms = performance.now();
  const cpu = process.cpuUsage(cpuBefore);
  const fromDiskBytes = readFromDiskBytes() - fromDiskBefore;
  const stagingBytes = work === 'open' ? 0 : (options.stagingBytes ?? defaultStagingBytes);
  const residentBeyondBytes = peakResidentBytes() - before - outcome.targetBytes - stagingBytes;
  const nextSeconds = work === 'leases' && outcome.again ? await secondsOf(outcome.again) : 0;
  await checkpoint.close();
  return {
    bytes: outcome.bytes,
    seconds: (end_ms - start_ms) / 1000,
    openSeconds: (opened_ms - start_ms) / 1000,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    nextSeconds,
    readBytes: outcome.report?.readBytes ?? 0,
    fromDiskBytes,
    residentBeyondBytes,
    how: howOf(outcome),
  };
}

answerParent((trial: RestoreTrial) => (trial.work === 'save' ? saveCheckpoint(trial) : measure(trial)));
