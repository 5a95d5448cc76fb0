/** How far a save is; `failed` and `published` are final. */
export type SavePhase = 'staging' | 'writing' | 'publishing' | 'published' | 'failed';

export interface Progress {
  readonly phase: SavePhase;
  /** Source bytes read so far. */
  readonly stagedBytes: number;
  /** Bytes that the device has taken so far. */
  readonly writtenBytes: number;
  /** Bytes of all shard files. */
  readonly totalBytes: number;
}

const pollInterval_ms = 100;

/** Gives the latest progress of a save to whoever watches, as often as they ask. Nothing is kept for a slow watcher. */
export class ProgressFeed {
  readonly #read: () => Progress;
  readonly #wakers = new Set<() => void>();

  /** @param read the progress now */
  constructor(read: () => Progress) {
    this.#read = read;
  }

  /** Wakes the watchers: the phase has changed. */
  notify(): void {
    for (const wake of [...this.#wakers]) wake();
  }

  /** Each value differs from the one before; ends after a final phase. */
  async *watch(): AsyncGenerator<Progress, void, undefined> {
    let last: Progress | undefined;
    for (;;) {
      const now = this.#read();
      if (last === undefined || differs(last, now)) yield now;
      last = now;
      if (isFinal(now)) return;
      if (!differs(this.#read(), now)) await this.#change();
    }
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
