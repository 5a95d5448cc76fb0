/** What looks at things, in every way, while anything goes on. */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { cliPath } from '../../support/cli.js';
import { garbage } from './garbage.js';
import type { Operation, Program } from './program.js';

function anything(program: Program): object | undefined {
  const { dice, writers, checkpoints, saves, devices } = program;
  return dice.anyOf<object>([...writers, ...checkpoints, ...saves, ...devices]);
}

function print(program: Program): void {
  const shown = anything(program);
  inspect(shown, { getters: true, showHidden: true, depth: 3, showProxy: program.dice.chance(0.5) });
}

/** A copy is an object without what made it one of ours. */
function copy(program: Program): void {
  try {
    structuredClone(anything(program));
  } catch (error) {
    if (!(error instanceof DOMException)) program.judge.find(`structuredClone threw ${String(error)}`);
  }
}

/** Ours are no classes that others derive their own from, but they can. */
function derive(program: Program): void {
  const found = anything(program);
  if (found === undefined) return;
  const derived = Object.create(found) as object;
  const key = program.dice.pick(Reflect.ownKeys(Object.getPrototypeOf(found) as object));
  try {
    const value: unknown = Reflect.get(derived, key);
    if (typeof value !== 'function' || key === 'constructor') return;
    const result: unknown = Reflect.apply(value, derived, [garbage(program.dice)]);
    if (result instanceof Promise) result.catch(() => undefined);
  } catch {
    program.judge.count('derived: threw');
  }
}

export const lookOperations: readonly (readonly [number, Operation])[] = [
  [0.7, print],
  [0.5, copy],
  [0.5, derive],
];

function wordsFor({ dice, root, scratch }: Program): string[] {
  const steps = readdirSync(root).filter((name) => name.startsWith('step-'));
  const path = (): string => (dice.chance(0.3) ? root : join(root, dice.anyOf(steps) ?? 'none'));
  const words = dice.pick([
    () => ['ls', root],
    () => ['inspect', path(), '--tree'],
    () => ['verify', path()],
    () => ['diff', path(), path()],
    () => ['export', path(), join(scratch, `out-${dice.below(2 ** 31)}`)],
  ])();
  if (dice.chance(0.3)) words.splice(dice.below(words.length + 1), 1, dice.pick(['--json', '--depth', '-5', '', '--filter', '*', '/dev/null', '--no']));
  return words;
}

/** The command, in a process of its own: its exit code is one of those promised, and it says no stack. */
function runCommand(program: Program): void {
  const words = wordsFor(program);
  const child = spawn(process.execPath, [cliPath, ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (text: Buffer) => { errors += text.toString(); });
  const ended = new Promise<void>((resolve) => {
    child.on('close', (code, signal) => {
      const mayDiffer = words[0] === 'diff' || words.includes('/dev/null');
      const promised = code === 0 || code === 2 || (code === 1 && mayDiffer);
      if (!promised || /\n\s+at /.test(errors)) program.judge.find(`${words.join(' ')}: ended by ${signal ?? code}: ${errors}`);
      program.judge.count(`${words[0]}: ${code}`);
      resolve();
    });
  });
  program.judge.call('command', () => ended);
}

export const commandOperations: readonly (readonly [number, Operation])[] = [[3, runCommand]];
