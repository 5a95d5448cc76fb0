import { endSignals, Interrupted } from './exit_code.js';
import { printable } from './text.js';

const widthMax = 100;
const widthMin = 60;

/** Where a command prints: results to standard output; progress, notes and errors to standard error. */
export class Terminal {
  /** Characters of a line. */
  readonly width = Math.max(widthMin, Math.min(widthMax, process.stdout.columns || widthMax));
  readonly #interrupt = new AbortController();

  constructor() {
    // Whoever reads the output may stop early, as `head` does.
    process.stdout.on('error', ignoreClosedPipe);
    process.stderr.on('error', ignoreClosedPipe);
  }

  print(lines: string | readonly string[]): void {
    process.stdout.write([lines, ''].flat().join('\n'));
  }

  printJson(value: unknown): void {
    this.print(JSON.stringify(value, undefined, 2));
  }

  note(line: string): void {
    process.stderr.write(`${printable(line)}\n`);
  }

  /** From now on Ctrl+C aborts this signal, once; a second one ends the process. */
  interruptible(): AbortSignal {
    process.once('SIGINT', () => {
      this.#interrupt.abort(new Interrupted());
    });
    return this.#interrupt.signal;
  }

  /**
   * As {@link interruptible}, also by SIGTERM and SIGHUP; and no second one ends the process: what it has made must be
   * removed first.
   */
  interruptibleUntilCleanedUp(): AbortSignal {
    for (const name of endSignals) {
      process.on(name, () => {
        if (!this.#interrupt.signal.aborted) this.note('stopping, and removing what was written');
        this.#interrupt.abort(new Interrupted(name));
      });
    }
    return this.#interrupt.signal;
  }
}

function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}
