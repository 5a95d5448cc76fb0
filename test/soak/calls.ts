import { execFileSync, fork } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FaultPlan } from './call/faults.js';
import { buildRefusal } from './call/refusal.js';
import type { Tally } from './call/trials.js';
import type { RefusedArgument, RefusedMessage } from './children/refused.js';
import type { SoakClass } from './soak_class.js';

const program = fileURLToPath(new URL('children/refused.ts', import.meta.url));
const timeout_ms = 1_800_000;
const everything: FaultPlan = { share: 1, lastingMax: 60 };

/** Runs one unit in a process of its own. */
export async function refuseCalls(
  seed: number,
  folder: string,
  plan: FaultPlan,
  other: Partial<RefusedArgument> = {},
): Promise<Tally> {
  const library = buildRefusal(folder);
  const data = join(folder, 'data');
  mkdirSync(data);
  const argument: RefusedArgument = { folder: data, library, seed, plan, ...other };
  const child = fork(program, [JSON.stringify(argument)], {
    execArgv: ['--import', 'tsx', '--expose-gc'],
    env: { ...process.env, LD_PRELOAD: library },
    silent: true,
    timeout: timeout_ms,
    killSignal: 'SIGKILL',
  });
  let output = '';
  let trying = 'nothing yet';
  let tally: Tally | undefined;
  const keep = (text: Buffer): void => { output = (output + text.toString()).slice(-20_000); };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  child.on('message', (message: RefusedMessage) => {
    if ('trying' in message) trying = message.trying;
    else tally = message.tally;
  });
  const how = await new Promise<string>((resolve) => {
    child.on('close', (code, signal) => { resolve(signal ?? `code ${code}`); });
  });
  if (how !== 'code 0' || tally === undefined) throw new Error(`The process ended by ${how} at ${trying}\n${output}`);
  return tally;
}

export function refusedIn(tally: Tally): number {
  return Object.values(tally.calls).reduce((sum, { refused }) => sum + refused, 0);
}

/** Of the last trial. */
let refused = 0;

export const soak: SoakClass = {
  name: 'calls',
  about: 'every system call of each phase refused, one at a time: the same bytes or a coded error, and a usable writer',
  cases: {
    get count() {
      return refused;
    },
    called: 'refused calls',
  },
  whyNot() {
    try {
      execFileSync('cc', ['--version'], { stdio: 'pipe' });
      return undefined;
    } catch {
      return 'there is no C compiler';
    }
  },
  async trial(seed, folder) {
    refused = 0;
    const tally = await refuseCalls(seed, folder, everything);
    refused = refusedIn(tally);
    if (process.env.SNAPSHARD_SOAK_TELL !== undefined) console.log(`calls ${seed}: ${JSON.stringify(tally)}`);
  },
};
