import { fork } from 'node:child_process';

type Answer<Result> = { result: Result } | { failure: string };

/** Runs a script of {@link answerParent} in a fresh process; settles only when that process has ended. */
export function runChild<Result>(script: string, input: object, signal: AbortSignal): Promise<Result> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    let answer: Answer<Result> = { failure: 'the trial ended without an answer' };
    const child = fork(script, {
      execArgv: [...process.execArgv, '--expose-gc'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const stop = (): void => void child.kill('SIGKILL');
    signal.addEventListener('abort', stop, { once: true });
    child.on('message', (message) => (answer = message as Answer<Result>));
    child.on('error', reject);
    child.on('close', () => {
      signal.removeEventListener('abort', stop);
      if (signal.aborted) reject(signal.reason as Error);
      else if ('result' in answer) resolve(answer.result);
      else reject(new Error(answer.failure));
    });
    child.send(input);
  });
}

/** The other side of {@link runChild}: runs once, answers, ends. */
export function answerParent(run: (input: never) => Promise<unknown>): void {
  // The terminal's Ctrl-C reaches this process too; the parent decides, and ends it.
  process.on('SIGINT', () => undefined);
  process.once('message', (input) => {
    process.once('disconnect', () => process.exit(1));
    run(input as never).then(
      (result) => process.send?.({ result }, () => process.exit(0)),
      (error: unknown) =>
        process.send?.({ failure: error instanceof Error ? error.stack : String(error) }, () => process.exit(1)),
    );
  });
}
