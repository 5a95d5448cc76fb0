import type { VerifyProgress } from './read_types.js';

const pollInterval_ms = 100;

/** Counts the bytes of a check, for whoever watches. */
export class VerifyMeter {
  readonly totalBytes: number;
  /** Bytes of the native reads under way. */
  readonly #running = new Set<() => number>();
  /** Bytes that have been read. */
  doneBytes = 0;
  #ended = false;
  #wake: () => void = () => undefined;
  #change: Promise<void>;

  constructor(totalBytes: number) {
    this.totalBytes = totalBytes;
    this.#change = this.#next();
  }

  /** Counts the bytes of a read as they come, and all of them when it succeeds. */
  async count<T>(bytes: number, read: Promise<T>, progress: () => number = () => 0): Promise<T> {
    this.#running.add(progress);
    try {
      const value = await read;
      this.doneBytes += bytes;
      return value;
    } finally {
      this.#running.delete(progress);
    }
  }

  /** Ends all who watch. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** The latest value, whenever the caller asks and it has changed; ends with the check. */
  async *watch(): AsyncGenerator<VerifyProgress, void, undefined> {
    let told = -1;
    for (;;) {
      const ended = this.#ended;
      const bytes = this.#bytes();
      if (bytes !== told) yield { bytes, totalBytes: this.totalBytes };
      told = bytes;
      if (ended) return;
      await this.#pause();
    }
  }

  #bytes(): number {
    let bytes = this.doneBytes;
    for (const progress of this.#running) bytes += progress();
    return Math.min(bytes, this.totalBytes);
  }

  #next(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** The timer keeps no process alive. */
  async #pause(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const interval = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, pollInterval_ms).unref();
    });
    await Promise.race([interval, this.#change]);
    clearTimeout(timer);
  }
}
