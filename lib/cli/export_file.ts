import { close, fdatasync, fsync, write } from 'node:fs';
import { promisify } from 'node:util';
import { fileError } from '../restore/foreign_files.js';
import type { NativeStore } from '../store/native_store.js';

const MiB = 1024 * 1024;
/** So often the system is told to write out what it has been given, that it does not pile up in the page cache. */
const syncEveryBytes = 256 * MiB;

/** A file that is written from its beginning to its end, while the next bytes are being read. */
export class ExportFile {
  readonly #descriptor: number;
  readonly #path: string;
  #position = 0;
  #syncedPosition = 0;
  #syncing: Promise<void> = Promise.resolve();

  private constructor(descriptor: number, path: string) {
    this.#descriptor = descriptor;
    this.#path = path;
  }

  /** Creates a file below a store, which must not exist: no link on the way leads elsewhere. */
  static async create(store: NativeStore, path: string): Promise<ExportFile> {
    return new ExportFile(await store.createFile(path), `${store.root}/${path}`);
  }

  /** Bytes written so far. */
  get bytes(): number {
    return this.#position;
  }

  /** The bytes must stay as they are until it resolves. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const left = bytes.length - at;
      const { bytesWritten } = await this.#call(promisify(write)(this.#descriptor, bytes, at, left, this.#position));
      at += bytesWritten;
      this.#position += bytesWritten;
    }
    if (this.#position - this.#syncedPosition >= syncEveryBytes) await this.#syncBehind();
  }

  /** Syncs and closes it. */
  async finish(): Promise<void> {
    await this.#syncing;
    await this.#call(promisify(fsync)(this.#descriptor));
    await this.#call(promisify(close)(this.#descriptor));
  }

  /** Closes it as it is, after a failure. */
  async abandon(): Promise<void> {
    await this.#syncing.catch(() => undefined);
    await promisify(close)(this.#descriptor).catch(() => undefined);
  }

  /** Writes go on during a sync, up to the next one. */
  async #syncBehind(): Promise<void> {
    await this.#syncing;
    this.#syncedPosition = this.#position;
    this.#syncing = this.#call(promisify(fdatasync)(this.#descriptor));
    this.#syncing.catch(() => undefined);
  }

  async #call<T>(running: Promise<T>): Promise<T> {
    try {
      return await running;
    } catch (error) {
      throw fileError(error, 'write a file', this.#path, 'make');
    }
  }
}
