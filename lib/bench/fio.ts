import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { runCommand } from './command.js';
import { removeTree } from './place.js';

export interface FioResult {
  /** Of all jobs. */
  bytes: number;
  /** Of the slowest job. Fio's clock starts once it has made and preallocated the file. */
  seconds: number;
  cpuSeconds: number;
  bytesPerSecond: number;
  cpuSecondsPerGiB: number;
}

type Way = 'read' | 'write';

/** How fio drives a file: options that not every kernel and file system takes. */
export interface FioMode {
  how: string;
  options: readonly string[];
}

interface FioJob {
  runtime_ms: number;
  bytes: number;
  cpuPercent: number;
}

export const fioBlockBytes = 2 ** 22;

/** `undefined` when fio is there; otherwise what to do about it. */
export function fioMissing(): string | undefined {
  try {
    execFileSync('fio', ['--version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'fio is not installed: apt-get install -y fio';
  }
}

const uring = ['--ioengine=io_uring', '--fixedbufs=1', '--registerfiles=1'];

/** The best first. */
const modes: readonly [best: FioMode, ...others: FioMode[]] = [
  { how: 'io_uring, direct, fixed buffers', options: [...uring, '--direct=1'] },
  { how: 'io_uring, direct', options: ['--ioengine=io_uring', '--direct=1'] },
  { how: 'libaio, direct', options: ['--ioengine=libaio', '--direct=1'] },
  { how: 'io_uring, buffered', options: ['--ioengine=io_uring', '--direct=0'] },
  { how: 'psync, buffered', options: ['--ioengine=psync', '--direct=0'] },
];

const common = ['--bs=4M', '--iodepth=16', '--output-format=json'];

/**
 * The best of the ways that fio knows which the kernel and the file system of `folder` take.
 * @returns or why none is taken
 */
export async function fioMode(folder: string, signal: AbortSignal): Promise<FioMode | string> {
  let reason = '';
  for (const mode of modes) {
    const place = mkdtempSync(join(folder, 'fio-'));
    try {
      await runFio(place, fioBlockBytes, 0, signal, mode);
      return mode;
    } catch (error) {
      signal.throwIfAborted();
      reason = error instanceof Error ? error.message.trim().split('\n').at(-1)! : String(error);
    } finally {
      removeTree(place);
    }
  }
  return `fio cannot write there: ${reason}`;
}

/**
 * The best that fio gets from fresh files in `folder`.
 * @param bytes of all jobs, each with a file of its own
 */
export function runFio(
  folder: string,
  bytes: number,
  startAt_ms: number,
  signal: AbortSignal,
  mode = modes[0],
  jobs = 1,
): Promise<FioResult> {
  const options = ['--rw=write', `--size=${Math.floor(bytes / jobs)}`, '--fallocate=native', '--end_fsync=1'];
  const paths = Array.from({ length: jobs }, (_, job) => join(folder, `fio-${job}.bin`));
  return run('write', [...mode.options, ...options, '--scramble_buffers=0'], paths, startAt_ms, signal);
}

/** The best that fio gets from reading files that are there, a job for each, from their starts on. `bytes`: of each. */
export function runFioRead(
  paths: string | readonly string[],
  bytes: number,
  startAt_ms: number,
  signal: AbortSignal,
  mode = modes[0],
): Promise<FioResult> {
  const options = ['--rw=read', '--readonly', `--size=${bytes}`];
  return run('read', [...mode.options, ...options], [paths].flat(), startAt_ms, signal);
}

async function run(
  way: Way,
  options: readonly string[],
  paths: readonly string[],
  startAt_ms: number,
  signal: AbortSignal,
): Promise<FioResult> {
  await setTimeout(Math.max(0, startAt_ms - Date.now()), undefined, { signal });
  const jobs = paths.flatMap((path, job) => [`--name=job${job}`, `--filename=${path.replaceAll(':', '\\:')}`]);
  const done = parse(await runCommand('fio', [...common, ...options, ...jobs], signal), way);
  if (done.length !== paths.length || done.some(({ bytes }) => bytes === 0)) throw new Error(`fio moved nothing (${way})`);
  const bytes = done.reduce((sum, job) => sum + job.bytes, 0);
  const seconds = Math.max(...done.map(({ runtime_ms }) => runtime_ms)) / 1000;
  const cpuSeconds = done.reduce((sum, job) => sum + ((job.cpuPercent / 100) * job.runtime_ms) / 1000, 0);
  return { bytes, seconds, cpuSeconds, bytesPerSecond: bytes / seconds, cpuSecondsPerGiB: cpuSeconds / (bytes / 2 ** 30) };
}

function parse(output: string, way: Way): FioJob[] {
  const report = JSON.parse(output.slice(output.indexOf('{'))) as {
    jobs: (Record<Way, { runtime: number; io_bytes: number }> & { usr_cpu: number; sys_cpu: number })[];
  };
  return report.jobs.map((job) => {
    const { runtime, io_bytes: bytes } = job[way];
    // Of what took less than a millisecond fio says 0.
    return { runtime_ms: Math.max(1, runtime), bytes, cpuPercent: job.usr_cpu + job.sys_cpu };
  });
}
