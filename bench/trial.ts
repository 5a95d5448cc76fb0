/** One trial in a process of its own, started by `runTrial`: makes the sources, opens a writer, saves, measures. */
import { setTimeout } from 'node:timers/promises';
import { CheckpointWriter, type TensorInput, type WriterOptions } from 'snapshard';
import { answerParent } from '../lib/bench/child.js';
import { makeDeviceTensors } from './cuda_sources.js';
import { HeldMeter } from './held.js';
import { forgetPeak, peakResidentBytes, residentBytes } from '../lib/bench/resident.js';
import { makeTensors } from './sources.js';
import { GiB } from './units.js';

export interface Trial {
  /** An empty directory. */
  folder: string;
  /** Unix time before which nothing is written, so that the device has rested. */
  startAt_ms: number;
  tensors: number;
  bytes: number;
  /** How many times the same tensors are saved, one after the other. */
  saves: number;
  /** Sources are leases, else `ArrayBuffer`s. */
  leases: boolean;
  /** Leases are written with no copy. */
  inPlace: boolean;
  /** The GPU in whose memory the sources are instead. */
  device?: number;
  /** They are copied within the device first. */
  deviceSnapshot?: boolean;
  /** Watches the JavaScript thread with a tight loop, which costs a core. */
  watchThread: boolean;
  /** What becomes of each block is recorded. */
  trace?: boolean;
  writer: WriterOptions;
}

export interface SaveMeasure {
  bytes: number;
  /** From the call of `save` until `staged`, and until the save resolved. */
  stagedSeconds: number;
  durableSeconds: number;
  /** Of the whole process, over the same time. */
  cpuSeconds: number;
  /** How long the call itself held the thread. */
  call_ms: number;
  /** The longest that anything held it; only when it was watched. */
  held_ms?: number;
  engine: string;
  direct: string;
  /** Why not io_uring, or not direct, or not pinned, or no snapshot. */
  reason: string;
}

export interface TrialResult {
  saves: SaveMeasure[];
  /** Peak resident memory during the saves, less what was there before the writer opened, less `stagingBytes`. */
  residentBeyondBytes: number;
}

async function measure(writer: CheckpointWriter, trial: Trial, tensors: Map<string, TensorInput>, step: number) {
  const meter = trial.watchThread ? new HeldMeter() : undefined;
  const cpuBefore = process.cpuUsage();
  const start_ms = performance.now();
  const { inPlace, deviceSnapshot, trace } = trial;
  const save = writer.save({ step, tensors, inPlace, deviceSnapshot }, { trace });
  const called_ms = performance.now();
  await save.staged;
  const staged_ms = performance.now();
  const { bytes, engine, direct, engineReason, directReason, deviceReason } = await save;
  const durable_ms = performance.now();
  const cpu = process.cpuUsage(cpuBefore);
  const result: SaveMeasure = {
    bytes,
    stagedSeconds: (staged_ms - start_ms) / 1000,
    durableSeconds: (durable_ms - start_ms) / 1000,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    call_ms: called_ms - start_ms,
    engine,
    direct,
    reason: [engineReason, directReason, deviceReason].filter(Boolean).join('; '),
  };
  return meter ? { ...result, held_ms: await meter.stop() } : result;
}

/** Leases come from the writer, which is opened later. */
async function ownTensors({ tensors, bytes, leases, device, folder }: Trial) {
  if (device !== undefined) return makeDeviceTensors(tensors, bytes, device, folder);
  return leases ? undefined : makeTensors(tensors, bytes);
}

async function run(trial: Trial): Promise<TrialResult> {
  const own = await ownTensors(trial);
  globalThis.gc?.();
  const before = residentBytes();
  const writer = await CheckpointWriter.open(trial.folder, trial.writer);
  const tensors = own ?? makeTensors(trial.tensors, trial.bytes, writer);
  const leased = own ? 0 : trial.bytes;
  globalThis.gc?.();
  await setTimeout(Math.max(0, trial.startAt_ms - Date.now()));
  forgetPeak();
  const saves: SaveMeasure[] = [];
  for (let step = 1; step <= trial.saves; step++) saves.push(await measure(writer, trial, tensors, step));
  const stagingBytes = trial.writer.stagingBytes ?? GiB;
  const residentBeyondBytes = peakResidentBytes() - before - leased - stagingBytes;
  await writer.close();
  return { saves, residentBeyondBytes };
}

answerParent(run);
