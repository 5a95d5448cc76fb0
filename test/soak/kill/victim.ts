import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Told } from '../invariant.js';
import type { Moment } from './moments.js';

const script = fileURLToPath(new URL('../children/killed_writer.mjs', import.meta.url));
const savesMax = 60;
const timeout_ms = 300_000;

export interface VictimReport {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly lines: readonly string[];
  readonly errors: string;
  /** It did not end by itself, and was made to. */
  readonly hung: boolean;
}

export interface VictimOptions {
  readonly root: string;
  readonly bytes: number;
  readonly firstStep: number;
  readonly moment: Moment;
}

function commandOf({ root, bytes, firstStep, moment }: VictimOptions): string[] {
  const argument = { root, bytes, firstStep, saves: savesMax, moment: moment.end ?? { after: savesMax, share: 0 } };
  const node = [process.execPath, script, JSON.stringify(argument)];
  if (moment.call === undefined) return node;
  const { names, time } = moment.call;
  const inject = `inject=${names}:signal=SIGKILL:when=${time}`;
  // With --seccomp-bpf no more than the first call of each thread is counted.
  return ['strace', '-f', '-qqq', '-o', '/dev/null', '-e', `trace=${names}`, '-e', inject, ...node];
}

/** Runs a writer until it ends. What it said before that is all there: its output is a pipe that outlives it. */
export function runVictim(options: VictimOptions): Promise<VictimReport> {
  const [command = '', ...args] = commandOf(options);
  const child = spawn(command, args, { timeout: timeout_ms, killSignal: 'SIGKILL', stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  let errors = '';
  child.stdout.on('data', (part: Buffer) => { text += part.toString(); });
  child.stderr.on('data', (part: Buffer) => { errors += part.toString(); });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const lines = text.split('\n').filter((line) => line !== '');
      resolve({ code, signal, lines, errors: errors.slice(-4000), hung: child.killed });
    });
  });
}

/** What it told last as published. */
export function lastTold({ lines }: VictimReport): Told | undefined {
  const line = lines.findLast((each) => each.startsWith('published '));
  const [, step, digest = ''] = line?.split(' ') ?? [];
  return step === undefined ? undefined : { step: Number(step), digest };
}

/** What it was at when it ended: a word that says so, and the step. */
export function lastDoing({ lines }: VictimReport): { readonly doing: string; readonly step: number } {
  const [doing = 'nothing', step = '0'] = lines.filter((line) => line !== 'terminated').at(-1)?.split(' ') ?? [];
  return { doing, step: Number(step) };
}
