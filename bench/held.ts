/** Watches how long the JavaScript thread is held: the longest gap between two turns of a tight `setImmediate` loop. */
export class HeldMeter {
  #running = true;
  #last_ms = performance.now();
  #longest_ms = 0;

  constructor() {
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    const now_ms = performance.now();
    this.#longest_ms = Math.max(this.#longest_ms, now_ms - this.#last_ms);
    this.#last_ms = now_ms;
    if (this.#running) setImmediate(this.#turn);
  };

  /** Ends the watch, one turn later; resolves to milliseconds. */
  async stop(): Promise<number> {
    this.#running = false;
    await new Promise((resolve) => setImmediate(resolve));
    return this.#longest_ms;
  }
}
