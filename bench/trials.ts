import { fileURLToPath } from 'node:url';
import { runChild } from '../lib/bench/child.js';
import type { Place } from '../lib/bench/place.js';
import { fioMissing, runFio } from '../lib/bench/fio.js';
import { loopMissing, runLoop } from './loop.js';
import { runTrial } from './run_trial.js';
import type { TraceTrialResult } from './trace_trial.js';
import type { Trial, TrialResult } from './trial.js';
import { GiB, MiB } from './units.js';

/** What one trial gave, in one shape for all kinds: only what was measured is there. */
export interface Sample {
  bytes: number;
  seconds: number;
  cpuSeconds: number;
  stagedSeconds?: number;
  /** Of the second save of the same tensors. */
  nextSeconds?: number;
  nextStagedSeconds?: number;
  residentBeyondBytes?: number;
  /** Of the first save and the second, in milliseconds. */
  held_ms?: number[];
  call_ms?: number[];
  /** Processor time of staging, traced over not. */
  tracedRatio?: number;
  /** How much longer a matrix product took while it saved, in percent. */
  slowdownPercent?: number;
  how: string;
}

export interface TrialKind {
  /** Why it cannot run here; `undefined` when it can. */
  missing(): string | undefined;
  run(place: Place, bytes: number, signal: AbortSignal): Promise<Sample>;
}

const stagerThreads = 2;
/** The rows of `staged` and `held` have a size of their own. */
const poolBytes = GiB;

export type SaveOptions = Partial<Omit<Trial, 'folder' | 'startAt_ms'>>;

export function saveTrial(name: string, options: SaveOptions): TrialKind {
  return {
    missing: () => undefined,
    run: (place, bytes, signal) =>
      place.use(name, async (folder, startAt_ms) => {
        const defaults = {
          tensors: 64,
          bytes,
          saves: 1,
          leases: false,
          inPlace: false,
          watchThread: false,
          writer: {},
        };
        return sampleOf(await runTrial({ folder, startAt_ms, ...defaults, ...options }, signal));
      }),
  };
}

/** Traced and untraced by turns, with no disk. */
function stagedByTurns(tensors: number): TrialKind {
  const trial = { tensors, bytes: 128 * MiB, turns: 200 };
  return {
    missing: () => undefined,
    async run(_place, _bytes, signal) {
      const script = fileURLToPath(new URL('./trace_trial.ts', import.meta.url));
      const { ratio, ...rest } = await runChild<TraceTrialResult>(script, trial, signal);
      return { ...rest, tracedRatio: ratio, how: `staged ${2 * trial.turns} times` };
    },
  };
}

function sampleOf({ saves, residentBeyondBytes }: TrialResult): Sample {
  const [first, second] = saves;
  if (!first) throw new Error('the trial saved nothing');
  return {
    bytes: first.bytes,
    seconds: first.durableSeconds,
    cpuSeconds: first.cpuSeconds,
    stagedSeconds: first.stagedSeconds,
    ...(second ? { nextSeconds: second.durableSeconds, nextStagedSeconds: second.stagedSeconds } : {}),
    residentBeyondBytes,
    held_ms: saves.flatMap(({ held_ms }) => held_ms ?? []),
    call_ms: saves.map(({ call_ms }) => call_ms),
    how: `${first.engine}, direct ${first.direct}${first.reason ? ` (${first.reason})` : ''}`,
  };
}

function loopTrial(threads: number, bytes: number): TrialKind {
  return {
    missing: loopMissing,
    async run(_place, _bytes, signal) {
      const result = await runLoop(bytes, threads, signal);
      return { ...result, how: `${threads} thread${threads > 1 ? 's' : ''}` };
    },
  };
}

export const fioTrial: TrialKind = {
  missing: fioMissing,
  run: (place, bytes, signal) =>
    place.use('fio', async (folder, startAt_ms) => {
      const { bytesPerSecond, cpuSecondsPerGiB } = await runFio(folder, bytes, startAt_ms, signal);
      const cpuSeconds = (cpuSecondsPerGiB * bytes) / GiB;
      return { bytes, seconds: bytes / bytesPerSecond, cpuSeconds, how: 'io_uring, direct 1' };
    }),
};

const roomy: SaveOptions = {
  bytes: poolBytes,
  saves: 2,
  writer: { stagingBytes: poolBytes + 64 * MiB, threads: stagerThreads },
};
const held: SaveOptions = { bytes: poolBytes, saves: 2, watchThread: true };

/** In the order in which one round runs them: what is compared runs close together. */
export const trialKinds = {
  fio: fioTrial,
  'save 64': saveTrial('save-64', { saves: 2 }),
  'save 64 traced': saveTrial('save-64-traced', { saves: 2, trace: true }),
  'staged, traced by turns': stagedByTurns(64),
  'staged 4 KiB, traced by turns': stagedByTurns(32_768),
  'save 100,000': saveTrial('save-100000', { saves: 2, tensors: 100_000 }),
  'save 64 pwrite': saveTrial('save-64-pwrite', { writer: { engine: 'pwrite' } }),
  'save 64 buffered': saveTrial('save-64-buffered', { writer: { direct: false } }),
  'save 64 in place': saveTrial('save-64-in-place', { leases: true, inPlace: true }),
  'loop 1 thread, 1 GiB': loopTrial(1, poolBytes),
  'staged 1 GiB': saveTrial('staged', roomy),
  'staged 1 GiB, leases': saveTrial('staged-leases', { ...roomy, leases: true }),
  'loop 2 threads, 1 GiB': loopTrial(stagerThreads, poolBytes),
  'held 1,000': saveTrial('held-1000', { ...held, tensors: 1000 }),
  'held 100,000': saveTrial('held-100000', { ...held, tensors: 100_000 }),
} satisfies Record<string, TrialKind>;

export type TrialName = keyof typeof trialKinds;
export const trialNames = Object.keys(trialKinds) as TrialName[];
