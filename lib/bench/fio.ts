import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';

export interface FioResult {
  bytesPerSecond: number;
  cpuSecondsPerGiB: number;
}

type Way = 'read' | 'write';

interface FioJob {
  runtime_ms: number;
  bytes: number;
  cpuPercent: number;
}

/** `undefined` when fio is there; otherwise what to do about it. */
export function fioMissing(): string | undefined {
  try {
    execFileSync('fio', ['--version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'fio is not installed: apt-get install -y fio';
  }
}

const best = [
  '--name=snapshard',
  '--bs=4M',
  '--ioengine=io_uring',
  '--direct=1',
  '--iodepth=16',
  '--fixedbufs=1',
  '--registerfiles=1',
  '--output-format=json',
];

/** The best that fio gets from a fresh file in `folder`. Its clock starts once it has made and preallocated the file. */
export function runFio(folder: string, bytes: number, startAt_ms: number, signal: AbortSignal): Promise<FioResult> {
  const file = [`--filename=${join(folder, 'fio.bin')}`, `--size=${bytes}`];
  const options = ['--rw=write', ...file, '--fallocate=native', '--end_fsync=1', '--scramble_buffers=0'];
  return run('write', options, bytes, startAt_ms, signal);
}

/** The best that fio gets from reading a file that is there, from its start on. `bytes`: whole blocks of 4 MiB. */
export function runFioRead(path: string, bytes: number, startAt_ms: number, signal: AbortSignal): Promise<FioResult> {
  const options = ['--rw=read', '--readonly', `--filename=${path}`, `--size=${bytes}`];
  return run('read', options, bytes, startAt_ms, signal);
}

async function run(
  way: Way,
  options: string[],
  bytes: number,
  startAt_ms: number,
  signal: AbortSignal,
): Promise<FioResult> {
  await setTimeout(Math.max(0, startAt_ms - Date.now()), undefined, { signal });
  const { stdout } = await promisify(execFile)('fio', [...best, ...options], { signal, maxBuffer: 1 << 24 });
  const { runtime_ms, bytes: moved, cpuPercent } = parse(stdout, way);
  if (moved !== bytes) throw new Error(`fio moved ${moved} of ${bytes} bytes (${way})`);
  const seconds = runtime_ms / 1000;
  return { bytesPerSecond: moved / seconds, cpuSecondsPerGiB: ((cpuPercent / 100) * seconds) / (moved / 2 ** 30) };
}

function parse(output: string, way: Way): FioJob {
  const report = JSON.parse(output.slice(output.indexOf('{'))) as {
    jobs: (Record<Way, { runtime: number; io_bytes: number }> & { usr_cpu: number; sys_cpu: number })[];
  };
  const job = report.jobs[0];
  if (!job) throw new Error('fio reported no job');
  return { runtime_ms: job[way].runtime, bytes: job[way].io_bytes, cpuPercent: job.usr_cpu + job.sys_cpu };
}
