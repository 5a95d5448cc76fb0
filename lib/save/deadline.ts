/** After the deadline, how long a device has to return what is in flight before it is given up for dead. */
const grace_ms = 5000;

/** The clock of one save. Its timers keep the process alive: somebody waits for what they tell. */
export class Deadline {
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param left_ms milliseconds until it passes; `Infinity`: never
   * @param onPassed called when it has passed
   * @param onDead called when it is not cleared even after the grace that follows
   */
  constructor(left_ms: number, onPassed: () => void, onDead: () => void) {
    if (left_ms === Infinity) return;
    const pass = (): void => {
      this.#timer = setTimeout(onDead, grace_ms);
      onPassed();
    };
    this.#timer = setTimeout(pass, Math.max(0, left_ms));
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
