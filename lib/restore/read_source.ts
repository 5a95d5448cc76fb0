import type { StagingInfo } from '../binding.js';
import { SnapshardError } from '../errors.js';
import { closeStaging, createStaging } from '../memory/staging.js';
import { hasErrno } from '../store/native_error.js';
import { isGone, isThere } from './gone.js';
import type { OpenedCheckpoint } from './open.js';
import type { ResolvedCheckpointOptions } from './read_options.js';
import type { StoredFile } from './stored.js';

/** What the system says of a file that is not as the manifest lists it. */
const faultOf: Readonly<Record<string, string>> = {
  ENOENT: 'is missing',
  ESTALE: 'is missing',
  ENODATA: 'ends before it should',
  EFBIG: 'is longer than it should be',
};

/** The files of an open checkpoint, and the memory that reads go through, which is taken when it is first needed. */
export class ReadSource {
  readonly opened: OpenedCheckpoint;
  readonly options: ResolvedCheckpointOptions;
  readonly #running = new Set<Promise<unknown>>();
  #staging: Promise<StagingInfo> | undefined;
  #closing: Promise<void> | undefined;

  constructor(opened: OpenedCheckpoint, options: ResolvedCheckpointOptions) {
    this.opened = opened;
    this.options = options;
  }

  get files(): readonly StoredFile[] {
    return this.opened.stored.files;
  }

  /** Absolute, for messages. */
  pathOf(file: string): string {
    return `${this.opened.store.root}/${file}`;
  }

  staging(): Promise<StagingInfo> {
    this.#staging ??= createStaging(this.options, false).catch((error: unknown) => {
      // The next read may find more memory.
      this.#staging = undefined;
      throw error;
    });
    return this.#staging;
  }

  /** @throws {SnapshardError} `ERR_SNAPSHARD_CLOSED` */
  requireOpen(): void {
    if (this.#closing === undefined) return;
    throw new SnapshardError('ERR_SNAPSHARD_CLOSED', 'The checkpoint is closed: open it again.');
  }

  /** Runs something that `close` waits for. */
  async run<T>(operation: () => Promise<T>): Promise<T> {
    this.requireOpen();
    const running = operation();
    this.#running.add(running);
    try {
      return await running;
    } catch (error) {
      throw await this.#explain(error);
    } finally {
      this.#running.delete(running);
    }
  }

  /** Waits for the reads under way. */
  close(): Promise<void> {
    this.#closing ??= this.#release();
    return this.#closing;
  }

  /** Gives the memory back; the next read takes it anew. */
  async releaseMemory(): Promise<void> {
    const staging = await this.#staging?.catch(() => undefined);
    this.#staging = undefined;
    if (staging !== undefined) await closeStaging(staging.handle);
  }

  async #release(): Promise<void> {
    await Promise.allSettled(this.#running);
    await this.releaseMemory();
    await this.opened.store.close();
  }

  /** Whether another checkpoint stands there, or none, or the same in other files: a copy that was put in its place. */
  async #isOther({ errno, path: file }: SnapshardError): Promise<boolean> {
    const { path, stored } = this.opened;
    if (stored.digest !== undefined && (await isGone(path, stored.digest))) return true;
    return errno === 'ESTALE' && file !== undefined && (await isThere(file));
  }

  /** A file that is missing or short may only mean that the checkpoint was removed or replaced. */
  async #explain(error: unknown): Promise<unknown> {
    if (!hasErrno(error, ...Object.keys(faultOf))) return error;
    const { path } = this.opened;
    const isOther = await this.#isOther(error as SnapshardError).catch(() => undefined);
    // A handle that a server took back tells nothing by itself.
    if (isOther === undefined && hasErrno(error, 'ESTALE')) return error;
    if (isOther === true) {
      const message = `The checkpoint at ${path} was removed or replaced while it was read: open it, or the newest, again.`;
      return new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', message, { cause: error, path });
    }
    const { errno = '', path: file = path } = error as SnapshardError;
    const message = `A file of the checkpoint ${faultOf[errno]}: ${file}. Read another checkpoint; verify() lists all damage.`;
    return new SnapshardError('ERR_SNAPSHARD_CORRUPT', message, { cause: error, path: file });
  }
}
