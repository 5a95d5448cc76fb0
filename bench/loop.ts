import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** What the plain loop of `memcpy` and XXH3, in pieces of 256 KiB into faulted memory, took. */
export interface LoopResult {
  seconds: number;
  cpuSeconds: number;
  bytes: number;
  threads: number;
}

const program = fileURLToPath(new URL('../build/Release/copy_hash_loop', import.meta.url));

export function loopMissing(): string | undefined {
  return existsSync(program) ? undefined : `${program} is not built: npm run build:native`;
}

export async function runLoop(bytes: number, threads: number, signal: AbortSignal): Promise<LoopResult> {
  const { stdout } = await promisify(execFile)(program, ['--bytes', `${bytes}`, '--threads', `${threads}`], { signal });
  return JSON.parse(stdout) as LoopResult;
}
