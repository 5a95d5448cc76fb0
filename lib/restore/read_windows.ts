import { forgetAbort, onAbort } from '../abort_listeners.js';
import { binding, type LeaseHandle, type ReadResult, type ReadStart } from '../binding.js';
import type { TimeSlices } from '../layout/time_slices.js';
import type { Window } from './plan_windows.js';
import { readError } from './read_error.js';
import type { ReadSource } from './read_source.js';

/** Windows under way at once: while one is read, the next is made. */
const windowsAhead = 2;

/** Memory that chunks are copied to, as native takes it. */
export interface TargetMemory {
  readonly targets: (ArrayBuffer | Uint8Array | LeaseHandle)[];
  readonly targetKinds: Uint8Array;
}

export const noTargets: TargetMemory = { targets: [], targetKinds: new Uint8Array() };

export interface ReadJob {
  readonly windows: Iterable<Window>;
  readonly memory: TargetMemory;
  /** Whether chunks are hashed. */
  readonly hash: boolean;
  readonly signal: AbortSignal | undefined;
  readonly slices: TimeSlices;
  /** Called for each window, in order, when it has been read; what it throws ends the job. */
  readonly onWindow: (window: Window, result: ReadResult) => void;
}

/** What native told of all windows together. */
export interface ReadTotals {
  readonly readBytes: number;
  readonly engine: 'io_uring' | 'pwrite';
  readonly engineReason: string;
  readonly direct: 'yes' | 'no' | 'unknown';
  readonly directReason: string;
  readonly deviceReason: string;
  readonly cpuSeconds: number;
}

interface Running {
  readonly window: Window;
  readonly start: ReadStart;
}

/** Of all targets, those that a window writes to: what native is given, it looks at. */
function ownTargets(
  { copyTarget }: Window,
  { targets, targetKinds }: TargetMemory,
): TargetMemory & Pick<Window, 'copyTarget'> {
  const own = new Map<number, number>();
  const renumbered = copyTarget.map((target) => {
    const known = own.get(target);
    if (known !== undefined) return known;
    own.set(target, own.size);
    return own.size - 1;
  });
  return {
    copyTarget: renumbered,
    targets: Array.from(own.keys(), (target) => targets[target]!),
    targetKinds: Uint8Array.from(own.keys(), (target) => targetKinds[target]!),
  };
}

/** Reads windows, one after the other, a few ahead. */
class WindowRun {
  readonly #source: ReadSource;
  readonly #job: ReadJob;
  readonly #running: Running[] = [];
  #totals: ReadTotals | undefined;

  constructor(source: ReadSource, job: ReadJob) {
    this.#source = source;
    this.#job = job;
  }

  async run(): Promise<ReadTotals | undefined> {
    const { signal, windows } = this.#job;
    signal?.throwIfAborted();
    onAbort(signal, this.#abort);
    try {
      for (const window of windows) {
        if (this.#running.length === windowsAhead) await this.#takeFirst();
        await this.#start(window);
      }
      while (this.#running.length > 0) await this.#takeFirst();
      return this.#totals;
    } catch (error) {
      await this.#stop();
      throw error;
    } finally {
      forgetAbort(signal, this.#abort);
    }
  }

  async #start(window: Window): Promise<void> {
    const { opened, files } = this.#source;
    const { memory, hash, signal } = this.#job;
    const { handle } = await this.#source.staging();
    signal?.throwIfAborted();
    const paths = window.files.map((file) => files[file]!.path);
    try {
      const request = { ...window, ...ownTargets(window, memory), paths, followLinks: opened.followLinks, hash };
      const start = binding.startRead(handle, opened.store.handle, request);
      start.done.catch(() => undefined);
      this.#running.push({ window, start });
    } catch (error) {
      throw this.#mapped(error);
    }
  }

  async #takeFirst(): Promise<void> {
    const { window, start } = this.#running[0]!;
    let result: ReadResult;
    try {
      result = await start.done;
    } catch (error) {
      this.#job.signal?.throwIfAborted();
      throw this.#mapped(error);
    }
    this.#running.shift();
    await this.#add(result);
    const { onWindow, slices } = this.#job;
    onWindow(window, result);
    // Of small tensors, the next window has been read by now, and would be taken in the same turn.
    if (slices.spent) await slices.pause();
  }

  async #add(result: ReadResult): Promise<void> {
    const { engineReason } = await this.#source.staging();
    const { readBytes, cpuSeconds, engine, direct, directReason, threadsReason, deviceReason } = result;
    const before = this.#totals;
    // What is not direct says more than what is.
    const worse = before === undefined || before.direct === 'yes' ? { direct, directReason } : before;
    this.#totals = {
      engine,
      engineReason: engineReason || threadsReason || (before?.engineReason ?? ''),
      direct: worse.direct,
      directReason: worse.directReason,
      deviceReason: deviceReason || (before?.deviceReason ?? ''),
      readBytes: (before?.readBytes ?? 0) + readBytes,
      cpuSeconds: (before?.cpuSeconds ?? 0) + cpuSeconds,
    };
  }

  /** Until it returns, native may write to the targets. */
  async #stop(): Promise<void> {
    this.#abort();
    await Promise.allSettled(this.#running.map(({ start }) => start.done));
  }

  readonly #abort = (): void => {
    for (const { start } of this.#running) binding.abortRead(start.handle);
  };

  #mapped(error: unknown): Error {
    return readError(error, this.#source);
  }
}

/**
 * Reads windows, hashes and copies; compares nothing. When it ends, one way or the other, native has let go of the targets.
 * @returns `undefined` where there was nothing to read
 * @throws {SnapshardError} what the system said; or the signal's reason
 */
export function readWindows(source: ReadSource, job: ReadJob): Promise<ReadTotals | undefined> {
  return new WindowRun(source, job).run();
}
