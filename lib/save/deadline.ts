/** After the deadline, how long a device has to return what is in flight before it is given up for dead. */
const grace_ms = 5000;

export interface DeadlineEvents {
  /** It is time to give up, so that all is told when the deadline passes. */
  readonly onNear: () => void;
  readonly onPassed: () => void;
  /** Nothing has come of it even after the grace that follows. */
  readonly onDead: () => void;
}

/** The clock of one save. Its timers keep the process alive: somebody waits for what they tell. */
export class Deadline {
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param left_ms milliseconds until it passes; `Infinity`: never
   * @param margin_ms how long before that it is near
   */
  constructor(left_ms: number, margin_ms: number, { onNear, onPassed, onDead }: DeadlineEvents) {
    if (left_ms === Infinity) return;
    const pass = (): void => {
      this.#timer = setTimeout(onDead, grace_ms);
      onPassed();
    };
    const near = (): void => {
      this.#timer = setTimeout(pass, Math.min(margin_ms, Math.max(0, left_ms)));
      onNear();
    };
    if (margin_ms > 0) this.#timer = setTimeout(near, Math.max(0, left_ms - margin_ms));
    else this.#timer = setTimeout(pass, Math.max(0, left_ms));
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
