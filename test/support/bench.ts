import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { benchSchema, type BenchResult, type Row } from '../../lib/bench/result.js';
import { cliPath } from './cli.js';

/** As small as it still does everything: a few MiB, one round, no rest. */
export const smallRun = ['--bytes', '8MiB', '--repeat', '1', '--warmup', '0', '--rest', '0', '--staging', '16MiB'];

export function readBench(path: string): BenchResult {
  return benchSchema.strict().parse(JSON.parse(readFileSync(path, 'utf8')));
}

export function rowOf({ rows }: BenchResult, phase: Row['phase'], id = 'snapshard'): Row {
  const found = rows.find((row) => row.phase === phase && row.id === id);
  if (found === undefined) throw new Error(`no row ${id} of ${phase}`);
  return found;
}

export interface RunningBench {
  child: ChildProcess;
  stderr(): string;
  ended: Promise<number | null>;
}

/** Starts a benchmark that the test ends. */
export function startBench(...words: string[]): RunningBench {
  const child = spawn(process.execPath, [cliPath, 'bench', ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.on('data', (more: Buffer) => (text += more.toString()));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  return { child, stderr: () => text, ended };
}

/** Process ids of those that a process has started, and that these have started. */
export function descendants(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // It has just ended.
    }
  }
  const found: number[] = [];
  const pending = [pid];
  for (let parent = pending.pop(); parent !== undefined; parent = pending.pop()) {
    const children = [...parents].filter(([, its]) => its === parent).map(([child]) => child);
    found.push(...children);
    pending.push(...children);
  }
  return found;
}

/** Whether a process has ended, though nobody may have asked for its exit code yet. */
export function processGone(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return /^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return true;
  }
}
