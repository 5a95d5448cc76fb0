import { fork } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cudaEnvironment, leakNames, onGpu, readTally, tallyVariable } from '../support/cuda_environment.js';
import type { MisuseArgument, MisuseMessage } from './children/misuse.js';
import type { SoakClass } from './soak_class.js';

const programs = 64;
/** Every so many trials there is device memory: that of a double of the driver. */
const cudaEvery = 4;
const deadline_ms = 60_000;
const seedsMax = 2 ** 32;

/** How the programs of one child ended. */
export interface MisuseReport {
  /** How often each end was seen, by call. */
  readonly ends: Map<string, number>;
  readonly ended: number;
}

class Child {
  readonly ends = new Map<string, number>();
  readonly found: string[] = [];
  ended = 0;
  #seed: number | undefined;
  #output = '';

  async run(argument: MisuseArgument): Promise<void> {
    const path = fileURLToPath(new URL('children/misuse.ts', import.meta.url));
    const execArgv = ['--import', 'tsx', '--expose-gc'];
    const timeout = deadline_ms + argument.seeds.length * 10_000;
    const { withCuda, ...rest } = argument;
    const tally = join(argument.folder, 'tally');
    const env = { ...process.env, ...(withCuda === true && cudaEnvironment({ [tallyVariable]: tally })) };
    const child = fork(path, [JSON.stringify(rest)], { execArgv, env, silent: true, timeout, killSignal: 'SIGKILL' });
    const keep = (text: Buffer): void => { this.#output = (this.#output + text.toString()).slice(-20_000); };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    child.on('message', (message) => { this.#take(message as MisuseMessage); });
    const how = await new Promise<string>((resolve) => {
      child.on('close', (code, signal) => { resolve(signal ?? `code ${code}`); });
    });
    if (how !== 'code 0' || this.ended < argument.seeds.length) this.found.push(`program ${this.#seed}: the process ended by ${how}\n${this.#output}`);
    else if (withCuda === true && !onGpu) this.#takeTally(readTally(tally));
  }

  #takeTally(tally: Readonly<Record<string, number>>): void {
    const left = leakNames.filter((name) => tally[name] !== 0).map((name) => `${name}: ${tally[name]}`);
    if (left.length > 0) this.found.push(`the driver counted ${left.join(', ')}\n${this.#output}`);
  }

  #take(message: MisuseMessage): void {
    if ('begun' in message) {
      this.#seed = message.begun;
      return;
    }
    this.ended += 1;
    for (const [end, count] of message.ends) this.ends.set(end, (this.ends.get(end) ?? 0) + count);
    for (const text of message.findings) this.found.push(`program ${message.ended}: ${text}`);
  }
}

/** Runs programs, each from its own seed, in one process. */
export async function runPrograms(
  seeds: readonly number[],
  folder: string,
  other: Partial<MisuseArgument> = {},
): Promise<MisuseReport> {
  const child = new Child();
  await child.run({ folder, seeds, deadline_ms, ...other });
  if (child.found.length > 0) throw new Error(child.found.join('\n'));
  return child;
}

/** `SNAPSHARD_MISUSE_PROGRAM`, the number that a finding names, runs nothing but that program. */
function seedsOf(seed: number): number[] {
  const one = process.env.SNAPSHARD_MISUSE_PROGRAM;
  if (one !== undefined) return [Number(one)];
  return Array.from({ length: programs }, (_, index) => (seed * programs + index) % seedsMax);
}

export const soak: SoakClass = {
  name: 'misuse',
  about: 'random programs that use and misuse the whole API: no crash, no hang, no leak, no error without a code',
  cases: { count: programs, called: 'programs' },
  whyNot: () => undefined,
  async trial(seed, folder) {
    const { ends } = await runPrograms(seedsOf(seed), folder, { withCuda: seed % cudaEvery === 0 });
    if (process.env.SNAPSHARD_SOAK_TELL !== undefined) console.log(Object.fromEntries([...ends].sort()));
  },
};
