import type { TransferProgress } from '../binding.js';

/** How far a save is; `failed` and `published` are final. */
export type SavePhase = 'staging' | 'writing' | 'publishing' | 'published' | 'failed';

export interface Progress {
  readonly phase: SavePhase;
  /** Source bytes read so far. */
  readonly stagedBytes: number;
  /** Bytes that the device has taken so far. */
  readonly writtenBytes: number;
  /** Bytes of the shard files that this process writes. */
  readonly totalBytes: number;
}

/** What counts the bytes; `undefined` once it has ended. */
export interface ByteCounter {
  progress(): TransferProgress | undefined;
}

const pollInterval_ms = 100;

/** Gives the latest progress of a save to whoever watches, as often as they ask. Nothing is kept for a slow watcher. */
export class ProgressFeed {
  readonly #counter: ByteCounter;
  readonly #wakers = new Set<() => void>();
  #last: Progress;

  constructor(totalBytes: number, counter: ByteCounter) {
    this.#counter = counter;
    this.#last = { phase: 'staging', stagedBytes: 0, writtenBytes: 0, totalBytes };
  }

  get phase(): SavePhase {
    return this.#last.phase;
  }

  /** Wakes the watchers. After `failed` there is no other phase. */
  enter(phase: SavePhase): void {
    if (this.phase === 'failed') return;
    this.#last = { ...this.#last, phase };
    for (const wake of [...this.#wakers]) wake();
  }

  /** Each value differs from the one before; ends after a final phase. */
  async *watch(): AsyncGenerator<Progress, void, undefined> {
    let told: Progress | undefined;
    for (;;) {
      const now = this.#read();
      if (told === undefined || differs(told, now)) yield now;
      told = now;
      if (isFinal(now)) return;
      if (!differs(this.#read(), now)) await this.#change();
    }
  }

  /** When the transfer has ended, what it told last stands; all of it, where it succeeded. */
  #read(): Progress {
    const { phase, totalBytes } = this.#last;
    const whole = phase === 'publishing' || phase === 'published';
    const counted = whole ? { stagedBytes: totalBytes, writtenBytes: totalBytes } : this.#counter.progress();
    this.#last = { ...this.#last, ...counted };
    return this.#last;
  }

  /** Resolves at the next change of phase, or when it is time to look again. The timer keeps no process alive. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#wakers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, pollInterval_ms).unref();
      this.#wakers.add(wake);
    });
  }
}

function isFinal(progress: Progress): boolean {
  return progress.phase === 'published' || progress.phase === 'failed';
}

function differs(a: Progress, b: Progress): boolean {
  return a.phase !== b.phase || a.stagedBytes !== b.stagedBytes || a.writtenBytes !== b.writtenBytes;
}
