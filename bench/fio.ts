import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';

export interface FioResult {
  bytesPerSecond: number;
  cpuSecondsPerGiB: number;
}

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

/** The best that fio gets from a fresh file in `folder`. Its clock starts once it has made and preallocated the file. */
export async function runFio(
  folder: string,
  bytes: number,
  startAt_ms: number,
  signal: AbortSignal,
): Promise<FioResult> {
  await setTimeout(Math.max(0, startAt_ms - Date.now()), undefined, { signal });
  const options = [
    '--name=snapshard',
    `--filename=${join(folder, 'fio.bin')}`,
    `--size=${bytes}`,
    '--rw=write',
    '--bs=4M',
    '--ioengine=io_uring',
    '--direct=1',
    '--iodepth=16',
    '--fallocate=native',
    '--end_fsync=1',
    '--fixedbufs=1',
    '--registerfiles=1',
    '--scramble_buffers=0',
    '--output-format=json',
  ];
  const { stdout } = await promisify(execFile)('fio', options, { signal, maxBuffer: 1 << 24 });
  const { runtime_ms, bytes: written, cpuPercent } = parse(stdout);
  if (written !== bytes) throw new Error(`fio wrote ${written} of ${bytes} bytes`);
  const seconds = runtime_ms / 1000;
  return { bytesPerSecond: written / seconds, cpuSecondsPerGiB: ((cpuPercent / 100) * seconds) / (written / 2 ** 30) };
}

function parse(output: string): FioJob {
  const report = JSON.parse(output.slice(output.indexOf('{'))) as {
    jobs: { write: { runtime: number; io_bytes: number }; usr_cpu: number; sys_cpu: number }[];
  };
  const job = report.jobs[0];
  if (!job) throw new Error('fio reported no job');
  return { runtime_ms: job.write.runtime, bytes: job.write.io_bytes, cpuPercent: job.usr_cpu + job.sys_cpu };
}
