import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Trial, TrialResult } from './trial.js';

type Answer = { result: TrialResult } | { failure: string };

/** Runs one trial in a fresh process; settles only when that process has ended. */
export function runTrial(trial: Trial, signal: AbortSignal): Promise<TrialResult> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    let answer: Answer = { failure: 'the trial ended without an answer' };
    const child = fork(fileURLToPath(new URL('./trial.ts', import.meta.url)), {
      execArgv: [...process.execArgv, '--expose-gc'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const stop = (): void => void child.kill('SIGKILL');
    signal.addEventListener('abort', stop, { once: true });
    child.on('message', (message) => (answer = message as Answer));
    child.on('error', reject);
    child.on('close', () => {
      signal.removeEventListener('abort', stop);
      if (signal.aborted) reject(signal.reason as Error);
      else if ('result' in answer) resolve(answer.result);
      else reject(new Error(answer.failure));
    });
    child.send(trial);
  });
}
