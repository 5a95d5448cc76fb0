import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

const patience_ms = 120_000;

/** A process that is talked to in lines. It is killed when it takes too long. */
export class Talk {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string, unknown>;
  readonly #ended: Promise<number | null>;
  #complaint = '';

  constructor(command: string, options: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    const env = { ...process.env, ...environment };
    const child = spawn(command, options, { env, timeout: patience_ms, killSignal: 'SIGKILL' });
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.stderr.on('data', (text: Buffer) => (this.#complaint += text.toString()));
    child.stdin.on('error', () => {});
    this.#ended = new Promise((resolve) => {
      child.once('error', (error) => (this.#complaint += error.message));
      child.once('close', resolve);
    });
  }

  tell(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** The next line; `undefined` where no more will come. */
  async hear(): Promise<string | undefined> {
    const { done, value } = await this.#lines.next();
    return done === true ? undefined : value;
  }

  async expect(line: string): Promise<void> {
    const heard = await this.hear();
    if (heard !== line) throw new Error(`Expected "${line}", heard "${heard ?? 'nothing'}". ${this.#complaint}`);
  }

  /**
   * Waits until it has ended, now that it is told no more.
   * @param expected its exit code; `null` where it is killed
   */
  async end(expected: number | null = 0): Promise<void> {
    this.#child.stdin?.end();
    const code = await this.#ended;
    if (code !== expected) throw new Error(`${this.#child.spawnfile} ended with ${String(code)}. ${this.#complaint}`);
  }
}
