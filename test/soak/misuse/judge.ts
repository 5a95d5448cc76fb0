import { SnapshardError } from 'snapshard';
import { CallersFault } from './garbage.js';

/** What one program did, and what it must not have done. */
export class Judge {
  readonly findings: string[] = [];
  /** How often each end was seen. */
  readonly ends = new Map<string, number>();
  readonly #signals: AbortSignal[] = [];
  readonly #pending = new Map<number, string>();
  #calls = 0;
  #waiting: (() => void)[] = [];

  /** @param root of the program's checkpoints, which nobody damages */
  constructor(readonly root: string) {}

  /** What its reason rejects with is as it should be. */
  expectAborts(signal: AbortSignal): void {
    this.#signals.push(signal);
  }

  find(text: string): void {
    this.findings.push(text);
  }

  count(end: string): void {
    this.ends.set(end, (this.ends.get(end) ?? 0) + 1);
  }

  /** Calls it, and judges what it throws, or rejects with. What it gives is handed on when it has succeeded. */
  call(what: string, action: () => unknown, onValue: (value: unknown) => void = () => undefined): void {
    let value: unknown;
    try {
      value = action();
    } catch (error) {
      this.#judge(`${what} threw`, error);
      return;
    }
    if (isThenable(value)) this.#follow(what, value, onValue);
    else onValue(value);
  }

  /** What has not ended. */
  get pending(): string[] {
    return [...this.#pending.values()];
  }

  /** Resolves when everything has ended that was begun until now. */
  quiet(): Promise<void> {
    if (this.#pending.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #follow(what: string, value: PromiseLike<unknown>, onValue: (value: unknown) => void): void {
    const call = this.#calls++;
    this.#pending.set(call, what);
    const end = (): void => {
      this.#pending.delete(call);
      if (this.#pending.size === 0) for (const wake of this.#waiting.splice(0)) wake();
    };
    value.then(
      (result) => {
        this.count(`${what}: done`);
        onValue(result);
        end();
      },
      (error: unknown) => {
        this.#judge(`${what} rejected`, error);
        end();
      },
    );
  }

  #judge(what: string, error: unknown): void {
    const fault = this.#faultOf(error);
    this.count(`${what}: ${error instanceof SnapshardError ? error.code : 'another'}`);
    if (fault !== undefined) this.find(`${what}: ${fault}\n${error instanceof Error ? String(error.stack) : ''}`);
  }

  /** What is wrong with an error; `undefined` where it is one that was promised. */
  #faultOf(error: unknown): string | undefined {
    if (error instanceof CallersFault) return undefined;
    if (this.#signals.some((signal) => signal.aborted && Object.is(signal.reason, error))) return undefined;
    if (error instanceof AggregateError) return error.errors.map((each) => this.#faultOf(each)).find(Boolean);
    if (!(error instanceof SnapshardError)) return 'an error without a code';
    if (!/^ERR_SNAPSHARD_[A-Z_]+$/.test(error.code)) return `an odd code ${error.code}`;
    const own = error.path?.startsWith(`${this.root}/step-`) === true;
    if (error.code === 'ERR_SNAPSHARD_CORRUPT' && own) return 'a checkpoint that nobody damaged';
    return error.errno === 'EFAULT' || error.code === 'ERR_SNAPSHARD_NATIVE_MISSING' ? error.code : undefined;
  }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'then') === 'function';
}
