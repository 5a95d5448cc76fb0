import { fork, type ChildProcess } from 'node:child_process';

export interface Failed {
  readonly code: string;
  readonly message: string;
  readonly errno?: string;
  readonly ranks?: number[];
}

/** Not both: `error` is what the call was rejected with. */
export interface Answer<T> {
  readonly result?: T;
  readonly error?: Failed;
}

/** A process that does what it is told, one order after the other, and answers what came of it. */
export class OrderedProcess {
  readonly #child: ChildProcess;
  readonly #died: Promise<Answer<never>>;

  /** @param program answers each message `{ action, argument }` with an {@link Answer}; before that it may tell more */
  constructor(program: string) {
    this.#child = fork(program, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#died = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        resolve({ error: { code: 'DIED', message: `The process has ended: ${String(code ?? signal)}.` } });
      });
    });
  }

  /** @param onTold called with what it tells, `{ told }`, while it is at it */
  ask<T>(action: string, argument: object, onTold?: (told: unknown) => void): Promise<Answer<T>> {
    const answered = new Promise<Answer<T>>((resolve) => {
      const listen = (message: object): void => {
        if ('told' in message) {
          onTold?.(message.told);
          return;
        }
        this.#child.off('message', listen);
        resolve(message);
      };
      this.#child.on('message', listen);
    });
    // One that has ended cannot be told any more, and `#died` says so.
    this.#child.send({ action, argument }, () => undefined);
    return Promise.race([answered, this.#died]);
  }

  /** Asks for `process.exit`, and resolves when it has ended. */
  async exit(): Promise<void> {
    await this.ask('exit', {});
  }

  /** As a machine that stops: without a last word. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#died;
  }
}
