/** Works below a root that somebody else changes all the while, and tells how each call ended. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SnapshardError } from 'snapshard';
import { childArgument } from '../../support/child.js';
import { type HostilePlant, operations, plantOf, type Operation } from '../hostile/operations.js';
import { Dice } from '../misuse/dice.js';

export interface HostileArgument {
  readonly root: string;
  readonly seed: number;
  readonly count: number;
  readonly deadline_ms: number;
  readonly plant?: HostilePlant;
}

export interface HostileMessage {
  readonly findings: readonly string[];
  /** How often each end was seen, by operation. */
  readonly ends: readonly (readonly [string, number])[];
}

const { root, seed, count, deadline_ms, plant } = childArgument() as HostileArgument;
const dice = new Dice(seed);
const ends = new Map<string, number>();
const findings: string[] = [];

function textOf(error: unknown): string {
  return error instanceof Error ? String(error.stack) : String(error);
}

process.on('unhandledRejection', (reason) => findings.push(`an unhandled rejection: ${textOf(reason)}`));

/** One error, or those of several saves that nobody took up. */
function codeOf(error: unknown): string | undefined {
  if (error instanceof SnapshardError) return error.code;
  return error instanceof AggregateError ? codeOf(error.errors[0]) : undefined;
}

async function run(name: string, operation: Operation): Promise<void> {
  const patience = new AbortController();
  const late = sleep(deadline_ms, 'late', { signal: patience.signal });
  late.catch(() => undefined);
  const ended = operation({ root, dice }).then(() => 'done', (error: unknown) => {
    const code = codeOf(error);
    if (code === undefined) findings.push(`${name}: an error without a code: ${textOf(error)}`);
    return code ?? 'no code';
  });
  const end = await Promise.race([ended, late]);
  patience.abort();
  if (end === 'late') findings.push(`${name} hangs`);
  ends.set(`${name}: ${end}`, (ends.get(`${name}: ${end}`) ?? 0) + 1);
}

const all = operations.map(([weight, name, operation]) => [weight, [name, operation] as const] as const);
const choices = plant === undefined ? all : [...all, [10, ['planted', plantOf(plant)] as const] as const];
for (let left = count; left > 0 && findings.length === 0; left -= 1) await run(...dice.weighted(choices));
process.send?.({ findings, ends: [...ends] } satisfies HostileMessage, () => process.exit());
