import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Published, WriterOptions } from 'snapshard';

export interface Failure {
  /** Of the error; else the error as text. */
  readonly code: string;
  readonly errno?: string;
  readonly syscall?: string;
  readonly message: string;
  readonly ranks?: readonly number[];
}

export interface SaveCall {
  readonly kind: 'save';
  readonly writer: string;
  readonly step: number;
  readonly seed: number;
  /** Of each tensor. */
  readonly bytes: readonly number[];
  readonly overwrite?: boolean;
  readonly inPlace?: boolean;
}

/** What a subject can be asked to do. A writer of several ranks is one for each, all in that process. */
export type SubjectCall =
  | { readonly kind: 'open'; readonly writer: string; readonly root: string; readonly options: WriterOptions; readonly ranks?: number }
  | SaveCall
  | { readonly kind: 'check'; readonly path: string }
  | { readonly kind: 'latest' | 'list'; readonly root: string }
  | { readonly kind: 'remove'; readonly root: string; readonly step: number }
  | { readonly kind: 'close'; readonly writer: string; readonly abort?: boolean }
  | { readonly kind: 'descriptors'; readonly below: string }
  | { readonly kind: 'exit'; readonly code: number };

export interface Answer {
  readonly value?: {
    readonly published?: Pick<Published, 'path' | 'digest' | 'engine' | 'direct' | 'directReason'>;
    /** Of the ranks. */
    readonly failures?: readonly Failure[];
    readonly step?: number;
    readonly damaged?: readonly { readonly file: string; readonly reason: string }[];
  };
  readonly failure?: Failure;
}

/** Longer than any fault that lets an answer come. */
const patience_ms = 90_000;

/** A process that saves and reads, to which faults happen. */
export class Subject {
  readonly #child: ChildProcess;
  readonly #answers = new Map<number, (answer: Answer) => void>();
  readonly ended: Promise<string>;
  #calls = 0;
  #output = '';
  #end: string | undefined;

  constructor(environment: Readonly<Record<string, string>> = {}, launcher: readonly string[] = []) {
    const script = fileURLToPath(new URL('subject.mjs', import.meta.url));
    const [execPath = process.execPath, ...rest] = launcher;
    const execArgv = launcher.length === 0 ? [] : [...rest, process.execPath];
    this.#child = fork(script, { execPath, execArgv, silent: true, env: { ...process.env, ...environment } });
    const collect = (text: Buffer): void => { this.#output = (this.#output + text.toString()).slice(-8000); };
    this.#child.stdout?.on('data', collect);
    this.#child.stderr?.on('data', collect);
    this.#child.on('message', (message: Answer & { id: number }) => {
      this.#answers.get(message.id)?.(message);
      this.#answers.delete(message.id);
    });
    this.ended = once(this.#child, 'exit').then(([code, signal]) => (this.#end = signal === null ? `code ${code}` : String(signal)));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** @throws where it does not answer, or ends instead: a finding */
  async ask(call: SubjectCall): Promise<Answer> {
    const id = (this.#calls += 1);
    const answered = new Promise<Answer>((resolve) => this.#answers.set(id, resolve));
    this.#child.send({ id, call }, () => {});
    const waiting = new AbortController();
    const late = sleep(patience_ms, undefined, { signal: waiting.signal }).catch(() => undefined);
    const answer = await Promise.race([answered, this.ended, late]);
    waiting.abort();
    if (typeof answer === 'object') return answer;
    const what = answer === undefined ? 'does not answer' : `ended (${answer})`;
    throw new Error(`The process ${what}, asked for ${JSON.stringify(call)}. ${this.#output}`);
  }

  /** Open descriptors of what lies below a directory. */
  async descriptors(below: string): Promise<string[]> {
    return (await this.ask({ kind: 'descriptors', below })).value as unknown as string[];
  }

  /** Not before the kernel lets it. */
  async kill(): Promise<void> {
    if (this.#end !== undefined) return;
    this.#child.kill('SIGKILL');
    await this.ended;
  }
}
