import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const worldSize = 4;
/** The one that dies in the middle of the second save. */
const victim = 2;

export interface RanksOptions {
  /** Where the checkpoint goes: an existing directory. */
  root: string;
  signal: AbortSignal;
  print: (line: string) => void;
}

interface RankReport {
  rank: number;
  step: number;
  path?: string;
  digest?: string;
  bytes?: number;
  seconds?: number;
  error?: string;
}

/** Four processes save one checkpoint; then one of them dies in the middle of the next. Returns the checkpoint's path. */
export async function saveFromRanks({ root, signal, print }: RanksOptions): Promise<string> {
  print(`   state        the same weights on all ${worldSize} ranks, Adam's moments divided among them by rows`);
  const runs = Array.from({ length: worldSize }, (_, rank) => runRank(rank, root, signal));
  const reports = (await Promise.all(runs)).flat();
  signal.throwIfAborted();
  const saved = reports.filter(({ step }) => step === 1);
  for (const { rank, bytes = 0 } of saved) print(`   rank ${rank}       wrote ${(bytes / 1e6).toFixed(1)} MB`);
  const [{ path, digest, seconds } = {}] = saved;
  const agreed = saved.length === worldSize && saved.every((report) => report.digest === digest);
  if (path === undefined || !agreed) throw new Error(`the ranks did not agree: ${JSON.stringify(saved)}`);
  const rate = saved.reduce((sum, { bytes = 0 }) => sum + bytes, 0) / 1e9 / (seconds ?? NaN);
  print(`   step 1       published with digest ${digest ?? ''} on every rank (${rate.toFixed(2)} GB/s)`);
  print(`   step 2       rank ${victim} is killed in the middle of it; the others are told by their deadline:`);
  for (const { rank, error } of reports.filter(({ step }) => step === 2)) print(`   rank ${rank}       ${error ?? 'saved'}`);
  return path;
}

/** Starts a rank with the variables that torchrun would set. */
async function runRank(rank: number, root: string, signal: AbortSignal): Promise<RankReport[]> {
  const script = fileURLToPath(new URL('./ranks/rank.ts', import.meta.url));
  const launcher = { RANK: `${rank}`, WORLD_SIZE: `${worldSize}`, TORCHELASTIC_RUN_ID: `example-${process.pid}` };
  const child = spawn(process.execPath, ['--import', 'tsx', script, root], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...launcher, ...(rank === victim && { DIE_IN_STEP: '2' }) },
  });
  const stop = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', stop, { once: true });
  const reports: RankReport[] = [];
  for await (const line of createInterface(child.stdout)) reports.push(JSON.parse(line) as RankReport);
  signal.removeEventListener('abort', stop);
  return reports;
}
