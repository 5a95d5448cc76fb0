import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { SnapshardError, type SnapshardErrorCode } from '../errors.js';
import { killGroup } from './command.js';

interface Failure {
  message: string;
  code?: string | undefined;
}

type FromChild = { ready: true } | { progress: number } | { result: unknown } | { failure: Failure };
type ToChild = { input: unknown } | { startAt_ms: number };

/** So long before a common start the word is given, so that it has reached everyone. */
const startNotice_ms = 20;
const tailCharacters = 2000;

/**
 * A script of {@link answerParent}; or a command and its arguments that does the same in another language, by JSON lines
 * over the descriptor that `NODE_CHANNEL_FD` names, as Node.js documents it for `child_process.fork`.
 */
export type Program = string | readonly [command: string, ...words: string[]];

export interface TogetherOptions {
  signal: AbortSignal;
  /** Unix time before which none of them begins. */
  startAt_ms?: number;
  /** All have made what they need. */
  onReady?: (() => void) | undefined;
  /** What all have done so far, in bytes. */
  onProgress?: ((bytes: number) => void) | undefined;
}

/** What a script of {@link answerParent} can tell its parent before it answers. */
export interface Parent {
  /** Says that all is prepared; resolves when everyone who was started together may begin. */
  ready(): Promise<void>;
  /** @param bytes of its work so far */
  progress(bytes: number): void;
}

/** The path of a script beside a module, compiled or not as that is. */
export function scriptBeside(moduleUrl: string, name: string): string {
  return fileURLToPath(new URL(`./${name}${moduleUrl.endsWith('.ts') ? '.ts' : '.js'}`, moduleUrl));
}

/** Runs a script of {@link answerParent} in a fresh process; settles only when that process has ended. */
export async function runChild<Result>(script: string, input: object, signal: AbortSignal): Promise<Result> {
  const [result] = await runTogether<Result>(script, [input], { signal });
  return result!;
}

/**
 * Runs a program in a fresh process for each input. Those that say that they are ready begin together, once all have said
 * so. If one fails, the others are ended. Settles only when all processes have ended.
 */
export async function runTogether<Result>(
  program: Program,
  inputs: readonly object[],
  { signal, startAt_ms = 0, onReady, onProgress }: TogetherOptions,
): Promise<Result[]> {
  signal.throwIfAborted();
  const done = inputs.map(() => 0);
  const children = inputs.map((input, index) => {
    return new Child(program, input, (bytes) => {
      done[index] = bytes;
      onProgress?.(done.reduce((sum, part) => sum + part, 0));
    });
  });
  const stop = (): void => {
    for (const child of children) child.kill();
  };
  signal.addEventListener('abort', stop, { once: true });
  const results = children.map((child) => child.result as Promise<Result>);
  try {
    void begin(children, startAt_ms, onReady, signal).catch(stop);
    return await Promise.all(results);
  } catch (error) {
    stop();
    await Promise.allSettled(results);
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function begin(
  children: readonly Child[],
  startAt_ms: number,
  onReady: (() => void) | undefined,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(children.map((child) => child.ready));
  onReady?.();
  const notice_ms = children.length > 1 ? startNotice_ms : 0;
  await sleep(Math.max(0, startAt_ms - notice_ms - Date.now()), undefined, { signal });
  for (const child of children) child.start(Date.now() + notice_ms);
}

class Child {
  /** When it has said so. Never, where it does not say so. */
  readonly ready: Promise<void>;
  /** Once it has ended. */
  readonly result: Promise<unknown>;
  readonly #process: ChildProcess;
  #answer: { result: unknown } | { failure: Failure } | undefined;
  #errors = '';
  #ended = false;

  constructor(program: Program, input: object, onProgress: (bytes: number) => void) {
    const [command, ...words] = typeof program === 'string' ? nodeCommand(program) : program;
    // In a session of its own: the terminal's Ctrl-C reaches the parent alone, which then ends the child's whole group.
    const child = spawn(command, words, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], detached: true });
    this.#process = child;
    child.stderr!.on('data', (text: Buffer) => {
      this.#errors = (this.#errors + text.toString()).slice(-tailCharacters);
    });
    this.ready = new Promise((resolve) => {
      child.on('message', (received) => {
        const message = received as FromChild;
        if ('ready' in message) resolve();
        else if ('progress' in message) onProgress(message.progress);
        else this.#answer = message;
      });
    });
    this.result = new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signalName) => {
        this.#ended = true;
        if (this.#answer !== undefined && 'result' in this.#answer) resolve(this.#answer.result);
        else reject(this.#failure(signalName ?? `exit code ${code}`));
      });
    });
    this.#tell({ input });
  }

  start(startAt_ms: number): void {
    this.#tell({ startAt_ms });
  }

  kill(): void {
    if (this.#process.pid !== undefined && !this.#ended) killGroup(this.#process.pid);
  }

  /** Whom the message does not reach has ended, which its result tells. */
  #tell(message: ToChild): void {
    if (this.#process.connected) this.#process.send(message, () => undefined);
  }

  #failure(ending: string): Error {
    if (this.#answer === undefined || !('failure' in this.#answer)) {
      const last = this.#errors.trim().split('\n').at(-1);
      return new Error(`A trial's process ended without an answer (${ending})${last ? `: ${last}` : '.'}`);
    }
    const { message, code } = this.#answer.failure;
    if (code?.startsWith('ERR_SNAPSHARD_')) return new SnapshardError(code as SnapshardErrorCode, message);
    return Object.assign(new Error(message), code === undefined ? {} : { code });
  }
}

function nodeCommand(script: string): [command: string, ...words: string[]] {
  const inherited = process.execArgv.filter((word) => !word.startsWith('--inspect'));
  const loader = script.endsWith('.ts') && !inherited.some((word) => word.includes('tsx')) ? ['--import', 'tsx'] : [];
  return [process.execPath, ...inherited, ...loader, '--expose-gc', script];
}

/** The other side of {@link runChild} and {@link runTogether}: runs once, answers, ends. */
export function answerParent(run: (input: never, parent: Parent) => Promise<unknown>): void {
  let begin: (startAt_ms: number) => void = () => undefined;
  const started = new Promise<number>((resolve) => (begin = resolve));
  const parent: Parent = {
    async ready() {
      tell({ ready: true });
      await sleep(Math.max(0, (await started) - Date.now()));
    },
    progress: (bytes) => {
      tell({ progress: bytes });
    },
  };
  process.once('disconnect', () => process.exit(1));
  process.on('message', (message: ToChild) => {
    if ('startAt_ms' in message) begin(message.startAt_ms);
    else void answer(() => run(message.input as never, parent));
  });
}

async function answer(run: () => Promise<unknown>): Promise<void> {
  try {
    const result = await run();
    tell({ result }, () => process.exit(0));
  } catch (error) {
    tell({ failure: failureOf(error) }, () => process.exit(1));
  }
}

function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { message: String(error) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  // What has a code says what to do; of anything else it matters where it came from.
  return { message: code === undefined ? (error.stack ?? error.message) : error.message, code };
}

function tell(message: FromChild, sent: () => void = () => undefined): void {
  process.send?.(message, sent);
}
