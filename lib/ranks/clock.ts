/** Time as the ranks see it; tests bring their own. */
export interface Clock {
  /** Milliseconds since some moment. */
  now(): number;
  /** Resolves after some milliseconds. Keeps the process alive: somebody waits for what comes after. */
  sleep(duration_ms: number): Promise<void>;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (duration_ms) =>
    new Promise((resolve) => {
      setTimeout(resolve, duration_ms);
    }),
};
