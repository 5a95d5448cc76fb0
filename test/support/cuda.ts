import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { runChild, type ChildOptions } from './child.js';
import {
  cudaEnvironment,
  leakNames,
  onGpu,
  readTally,
  tallyVariable,
  type Batches,
  type DoubleEnvironment,
} from './cuda_environment.js';

export { cudaEnvironment, onGpu, type DoubleEnvironment };

export interface CudaRun {
  readonly result: unknown;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
  /** What the double counted when the process ended, by what it is; empty where it told nothing. */
  readonly tally: Readonly<Record<string, number>>;
}

interface CudaOptions extends Pick<ChildOptions, 'timeoutMs'> {
  readonly double?: DoubleEnvironment;
  readonly batches?: Batches;
}

/** Runs a program of `children/cuda/` beside a driver. Its last message is the result. */
export async function runCuda(program: string, argument: unknown, options: CudaOptions = {}): Promise<CudaRun> {
  const { timeoutMs = 100_000, double, batches } = options;
  const folder = mkdtempSync(join(tmpdir(), 'snapshard-tally-'));
  const tallyPath = join(folder, 'tally');
  try {
    const environment = cudaEnvironment({ [tallyVariable]: tallyPath, ...double }, batches);
    const child = await runChild(`cuda/${program}`, argument, { timeoutMs, environment });
    const { code, signal, output, messages } = child;
    return { code, signal, output, result: messages.at(-1), tally: readTally(tallyPath) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A program that ended as it should: it left nothing in the driver, and did nothing that no program may do. */
export function expectClean({ code, signal, output, tally }: CudaRun): void {
  expect({ code, signal }, output).toEqual({ code: 0, signal: null });
  if (!onGpu) expect(tally, output).toMatchObject(Object.fromEntries(leakNames.map((name) => [name, 0])));
}
