import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CheckpointOptions } from 'snapshard';
import { runChild } from '../lib/bench/child.js';
import { fioMissing, runFioRead } from '../lib/bench/fio.js';
import type { RestoreMeasure, RestoreTrial, RestoreWork } from './restore_trial.js';
import { GiB, KiB, MiB } from './units.js';

/** The checkpoints that all trials read. */
export interface Saved {
  /** Of `--bytes`, in tensors of 4096 x 4096 bf16, and one of 4 KiB. */
  large: string;
  /** Of 100,000 tensors. */
  many: string;
}

export type RestoreSample = RestoreMeasure;

export interface RestoreTrialKind {
  /** Why it cannot run here; `undefined` when it can. */
  missing(): string | undefined;
  run(saved: Saved, bytes: number, startAt_ms: number, signal: AbortSignal): Promise<RestoreSample>;
}

const matrix = [4096, 4096];
export const matrixBytes = 4096 * 4096 * 2;
const manyTensors = 100_000;
const manyElements = 2 * KiB;
/** Of the checkpoint with the many tensors. */
export const manyBytes = manyTensors * manyElements * 2;
/** For a pool, and for Node itself. */
const spareBytes = GiB / 2;
const fioBlockBytes = 4 * MiB;

const script = fileURLToPath(new URL('./restore_trial.ts', import.meta.url));

function filesBelow(path: string): string[] {
  const entries = readdirSync(path, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Drops the files of a checkpoint from the page cache; what was written to them is on disk. */
function makeCold(path: string): void {
  for (const file of filesBelow(path)) {
    execFileSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none']);
  }
}

function makeWarm(path: string): void {
  for (const file of filesBelow(path)) if (!file.endsWith('.safetensors')) readFileSync(file);
}

/** Saves what the trials read, each checkpoint in a process of its own. */
export async function saveCheckpoints(folder: string, bytes: number, signal: AbortSignal): Promise<Saved> {
  const save = async (name: string, shape: number[], tensors: number): Promise<string> => {
    const path = join(folder, name);
    mkdirSync(path);
    const trial: RestoreTrial = { work: 'save', path, startAt_ms: 0, memoryBytes: 0, options: {}, shape, tensors };
    await runChild(script, trial, signal);
    execFileSync('sync', ['-f', path]);
    return join(path, readdirSync(path).find((entry) => entry.startsWith('step-'))!);
  };
  const large = await save('large', matrix, Math.max(1, Math.round(bytes / matrixBytes)));
  return { large, many: await save('many', [manyElements], manyTensors) };
}

interface ReadTrialOptions {
  which?: keyof Saved;
  /** Manifests are in the page cache. */
  warm?: boolean;
  /** How much of the checkpoint there is memory for. */
  part?: number;
  options?: CheckpointOptions;
}

function readTrial(
  work: RestoreWork,
  { which = 'large', warm = false, part = 1, options = {} }: ReadTrialOptions,
): RestoreTrialKind {
  return {
    missing: () => undefined,
    async run(saved, bytes, startAt_ms, signal) {
      const path = saved[which];
      makeCold(path);
      if (warm) makeWarm(path);
      const memoryBytes = (which === 'large' ? part * bytes : 0) + spareBytes;
      const trial: RestoreTrial = { work, path, startAt_ms, memoryBytes, options, shape: [], tensors: 0 };
      const measured = await runChild<RestoreMeasure>(script, trial, signal);
      return { ...measured, how: [warm ? 'manifests cached' : 'cold', measured.how].filter(Boolean).join('; ') };
    },
  };
}

const fioTrial: RestoreTrialKind = {
  missing: fioMissing,
  async run({ large }, _bytes, startAt_ms, signal) {
    const shards = filesBelow(large).filter((file) => file.endsWith('.safetensors'));
    const [largest] = shards.map((path) => ({ path, bytes: statSync(path).size })).sort((a, b) => b.bytes - a.bytes);
    const bytes = Math.floor(largest!.bytes / fioBlockBytes) * fioBlockBytes;
    const { bytesPerSecond, cpuSecondsPerGiB } = await runFioRead(largest!.path, bytes, startAt_ms, signal);
    const nothing = { openSeconds: 0, readBytes: bytes, fromDiskBytes: bytes, residentBeyondBytes: 0 };
    const seconds = bytes / bytesPerSecond;
    return { bytes, seconds, cpuSeconds: (cpuSecondsPerGiB * bytes) / GiB, ...nothing, how: 'io_uring, direct 1' };
  },
};

/** In the order in which one round runs them: what is compared runs close together. */
export const restoreTrialKinds = {
  leases: readTrial('leases', {}),
  fio: fioTrial,
  verify: readTrial('verify', { part: 0 }),
  'fresh leases': readTrial('fresh leases', {}),
  unverified: readTrial('leases', { options: { verify: false } }),
  buffers: readTrial('buffers', {}),
  columns: readTrial('columns', { part: 1 / 4 }),
  small: readTrial('small', { part: 0 }),
  'open 100,000': readTrial('open', { which: 'many', warm: true }),
  'open 100,000, cold': readTrial('open', { which: 'many' }),
} satisfies Record<string, RestoreTrialKind>;

export type RestoreTrialName = keyof typeof restoreTrialKinds;
export const restoreTrialNames = Object.keys(restoreTrialKinds) as RestoreTrialName[];
