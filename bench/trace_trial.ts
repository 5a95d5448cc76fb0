/**
 * What recording a trace costs where no disk has a say, in a process of its own: the same tensors are staged over and
 * over, traced and not by turns, and none of it is written.
 */
import { randomFillSync } from 'node:crypto';
import { answerParent } from '../lib/bench/child.js';
import { spread } from '../lib/bench/statistics.js';
import { buildPlan } from '../lib/layout/plan.js';
import { allocateLease, leaseOf } from '../lib/memory/lease.js';
import { closeStaging, createStaging } from '../lib/memory/staging.js';
import { Transfer } from '../lib/save/transfer.js';
import { normalizeTensors } from '../lib/tensor/normalize.js';
import type { Tensor } from '../lib/tensor/tensor.js';
import { MiB } from './units.js';

export interface TraceTrial {
  tensors: number;
  bytes: number;
  /** How often it is staged both ways. */
  turns: number;
}

export interface TraceTrialResult {
  bytes: number;
  /** Of all stagings, traced or not. */
  seconds: number;
  cpuSeconds: number;
  /** Processor time, traced over not: the median over all turns. */
  ratio: number;
}

const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** Stages all tensors, and lets go of them. Gives the processor seconds until they were staged. */
type StageOnce = (trace: boolean) => Promise<number>;

/** All in one lease. */
function tensorsOf(count: number, bytes: number): Map<string, Tensor> {
  const { buffer } = allocateLease(bytes);
  randomFillSync(new Uint8Array(buffer));
  const each = Math.floor(bytes / count);
  const tensorAt = (index: number): Tensor => ({
    dtype: 'U8',
    shape: [each],
    data: new Uint8Array(buffer, index * each, each),
  });
  return new Map(Array.from({ length: count }, (_, index) => [`layers.${index}.weight`, tensorAt(index)]));
}

async function prepare({ tensors, bytes }: TraceTrial): Promise<[stage: StageOnce, release: () => Promise<void>]> {
  const drive = { blockBytes: 4 * MiB, queueDepth: 16, threads: 2, engine: 'pwrite', direct: true } as const;
  const { handle } = await createStaging({ ...drive, stagingBytes: bytes + 64 * MiB }, true);
  const made = tensorsOf(tensors, bytes);
  const { specs, sources } = normalizeTensors(made, leaseOf);
  const plan = buildPlan(specs, { shardBytes: Infinity });
  const modes = { inPlace: false, deviceSnapshot: false };
  const stage: StageOnce = async (trace) => {
    const before = cpuSeconds();
    const transfer = new Transfer(handle, plan, sources, { ...modes, trace }, '');
    await transfer.staged;
    const used = cpuSeconds() - before;
    await transfer.stop();
    return used;
  };
  const release = (): Promise<void> => {
    // Until now it kept the lease.
    made.clear();
    return closeStaging(handle);
  };
  return [stage, release];
}

async function run(trial: TraceTrial): Promise<TraceTrialResult> {
  const [stage, release] = await prepare(trial);
  const warmUps = 10;
  for (let turn = 0; turn < warmUps; turn++) await stage(turn % 2 === 0);
  const ratios: number[] = [];
  const start_ms = performance.now();
  const before = cpuSeconds();
  for (let turn = 0; turn < trial.turns; turn++) {
    // Neither always comes first.
    const first = await stage(turn % 2 === 0);
    const second = await stage(turn % 2 === 1);
    ratios.push(turn % 2 === 0 ? first / second : second / first);
  }
  const seconds = (performance.now() - start_ms) / 1000;
  const used = cpuSeconds() - before;
  await release();
  return { bytes: 2 * trial.turns * trial.bytes, seconds, cpuSeconds: used, ratio: spread(ratios)?.median ?? NaN };
}

answerParent(run);
