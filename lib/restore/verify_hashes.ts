import { forgetAbort, onAbort } from '../abort_listeners.js';
import { binding } from '../binding.js';
import type { SnapshardError } from '../errors.js';
import { digestBytes } from '../layout/format.js';
import { hasErrno } from '../store/native_error.js';
import { WindowBuilder, type Window } from './plan_windows.js';
import { readError } from './read_error.js';
import type { ReadSource } from './read_source.js';
import { noTargets } from './read_windows.js';
import type { VerifyMeter } from './verify_meter.js';

/** What the system says of bytes that are not to be had, as opposed to a system that is short of something. */
const errnosOfDamage = [
  ...['EIO', 'ENODATA', 'ENOENT', 'EBADMSG', 'EUCLEAN', 'EILSEQ'],
  // No regular file, or no directory, where there was one.
  ...['EINVAL', 'ELOOP', 'EISDIR', 'ENOTDIR', 'ENXIO'],
];

export interface Unreadable {
  /** Which chunk of the window. */
  readonly chunk: number;
  readonly reason: string;
}

/** The digests of a window's chunks, those that can be read. */
export interface WindowHashes {
  /** 16 bytes a chunk; zeros for what cannot be read, or if there is nothing to compare with. */
  readonly digests: Uint8Array;
  readonly unreadable: readonly Unreadable[];
}

export function isDamage(error: unknown): error is SnapshardError {
  return hasErrno(error, ...errnosOfDamage);
}

/** Reads windows from one end to the other, copies nothing, and finds the chunks that cannot be read. */
export class WindowHasher {
  readonly #source: ReadSource;
  readonly #signal: AbortSignal | undefined;
  readonly #meter: VerifyMeter;
  readonly #running = new Set<number>();

  constructor(source: ReadSource, meter: VerifyMeter, signal: AbortSignal | undefined) {
    this.#source = source;
    this.#meter = meter;
    this.#signal = signal;
    onAbort(signal, this.#abort);
  }

  /** The last call. */
  end(): void {
    forgetAbort(this.#signal, this.#abort);
  }

  async hash(window: Window): Promise<WindowHashes> {
    try {
      return { digests: await this.#read(window), unreadable: [] };
    } catch (error) {
      this.#signal?.throwIfAborted();
      if (!isDamage(error)) throw error;
      if (window.slices.length > 1) return this.#halves(window);
      return { digests: new Uint8Array(digestBytes), unreadable: [{ chunk: 0, reason: reasonOf(error) }] };
    }
  }

  async #read(window: Window): Promise<Uint8Array> {
    const { opened, files } = this.#source;
    const { handle: staging } = await this.#source.staging();
    this.#signal?.throwIfAborted();
    const { hasDigests } = opened.stored;
    const paths = window.files.map((file) => files[file]!.path);
    const request = { ...window, ...noTargets, paths, followLinks: opened.followLinks, hash: hasDigests };
    let handle: number | undefined;
    try {
      const start = binding.startRead(staging, opened.store.handle, request);
      handle = start.handle;
      this.#running.add(handle);
      const progress = (): number => binding.readProgress(start.handle) ?? 0;
      const { digests } = await this.#meter.count(window.bytes, start.done, progress);
      return hasDigests ? digests : new Uint8Array(window.slices.length * digestBytes);
    } catch (error) {
      throw readError(error, this.#source);
    } finally {
      if (handle !== undefined) this.#running.delete(handle);
    }
  }

  async #halves(window: Window): Promise<WindowHashes> {
    const middle = window.slices.length >> 1;
    const first = await this.hash(part(window, 0, middle));
    const second = await this.hash(part(window, middle, window.slices.length));
    const shifted = second.unreadable.map(({ chunk, reason }) => ({ chunk: chunk + middle, reason }));
    return {
      digests: Buffer.concat([first.digests, second.digests]),
      unreadable: [...first.unreadable, ...shifted],
    };
  }

  readonly #abort = (): void => {
    for (const handle of this.#running) binding.abortRead(handle);
  };
}

function part({ slices, chunkIndex }: Window, begin: number, end: number): Window {
  const builder = new WindowBuilder({ chunks: Infinity, copies: Infinity });
  for (let chunk = begin; chunk < end; chunk += 1) builder.addChunk(slices[chunk]!, chunkIndex[chunk]!);
  return builder.finish();
}

/** Of an error that {@link isDamage}, in a word. */
export function reasonOf({ errno, syscall }: SnapshardError): string {
  if (errno === 'ENODATA') return 'the file ends before it';
  return errno === 'ENOENT' ? 'the file is missing' : `it cannot be read: ${errno} from ${syscall}`;
}
