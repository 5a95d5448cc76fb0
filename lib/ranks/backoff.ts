import type { Clock } from './clock.js';

/** The first looks follow each other closely, later ones at a share of the time waited: so waiting costs little. */
const firstInterval_ms = 1;
const quickShare = 1 / 50;
const slowShare = 1 / 500;
const slowLimit_ms = 1000;
/** All ranks of a run look at the same directory: the more there are, the less often each does. */
const interval_ms_perRank = 1.25;
const quickLimit_ms_least = 10;
const quickLimit_ms_most = 5000;

/** How long to wait before the next look at a directory that others write to. */
export class Backoff {
  readonly #clock: Clock;
  readonly #quickLimit_ms: number;
  #start_ms: number;
  #wake: () => void = () => undefined;

  constructor(clock: Clock, worldSize: number) {
    this.#clock = clock;
    this.#quickLimit_ms = Math.min(quickLimit_ms_most, Math.max(quickLimit_ms_least, worldSize * interval_ms_perRank));
    this.#start_ms = clock.now();
  }

  /** Something has happened: whoever pauses looks at once, and soon again. */
  restart(): void {
    this.#start_ms = this.#clock.now();
    this.#wake();
  }

  /** @param interrupted resolves when there is no point in waiting any longer */
  async pause(interrupted?: Promise<unknown>): Promise<void> {
    const waited_ms = this.#clock.now() - this.#start_ms;
    const quick_ms = Math.min(this.#quickLimit_ms, Math.max(firstInterval_ms, waited_ms * quickShare));
    const slow_ms = Math.min(slowLimit_ms, waited_ms * slowShare);
    // Ranks that began together shall not go on looking together.
    const jitter = 0.75 + Math.random() / 2;
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    await Promise.race([this.#clock.sleep(Math.max(quick_ms, slow_ms) * jitter), woken, ...(interrupted ? [interrupted] : [])]);
  }
}
