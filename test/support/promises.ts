import { afterEach, beforeEach, expect } from 'vitest';

const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown): void => void unhandled.push(reason);

/** Every test of the file fails when it leaves a rejection that nobody handled. */
export function expectNoUnhandledRejections(): void {
  beforeEach(() => {
    process.on('unhandledRejection', onUnhandled);
  });
  afterEach(async () => {
    await quiet();
    process.off('unhandledRejection', onUnhandled);
    expect(unhandled.splice(0)).toEqual([]);
  });
}

/** Long enough for every promise of the fake binding to have had its turn. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Whether a promise has ended, one way or the other. */
export async function ended(promise: PromiseLike<unknown>): Promise<boolean> {
  let done = false;
  const finish = (): void => {
    done = true;
  };
  promise.then(finish, finish);
  await quiet();
  return done;
}
