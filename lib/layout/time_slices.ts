/** Short enough that nothing else of the thread is late, long enough to get on where each turn is a training step. */
const slice_ms = 10;

/** Lets a long loop give way to the event loop every few milliseconds. */
export class TimeSlices {
  #end = performance.now() + slice_ms;

  /** Whether it is time to `await` {@link pause}. */
  get spent(): boolean {
    return performance.now() >= this.#end;
  }

  async pause(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#end = performance.now() + slice_ms;
  }
}
