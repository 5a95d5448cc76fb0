import { open, type FileHandle } from 'node:fs/promises';

const MiB = 1024 * 1024;
/** So often the system is told to write out what it has been given, that it does not pile up in the page cache. */
const syncEveryBytes = 256 * MiB;

/** A file that is written from its beginning to its end, while the next bytes are being read. */
export class ExportFile {
  readonly #handle: FileHandle;
  #position = 0;
  #syncedPosition = 0;
  #syncing: Promise<void> = Promise.resolve();

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Creates a file, which must not exist. */
  static async create(path: string): Promise<ExportFile> {
    return new ExportFile(await open(path, 'wx'));
  }

  /** Bytes written so far. */
  get bytes(): number {
    return this.#position;
  }

  /** The bytes must stay as they are until it resolves. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await this.#handle.write(bytes, at, bytes.length - at, this.#position);
      at += bytesWritten;
      this.#position += bytesWritten;
    }
    if (this.#position - this.#syncedPosition >= syncEveryBytes) await this.#syncBehind();
  }

  /** Syncs and closes it. */
  async finish(): Promise<void> {
    await this.#syncing;
    await this.#handle.sync();
    await this.#handle.close();
  }

  /** Closes it as it is, after a failure. */
  async abandon(): Promise<void> {
    await this.#syncing.catch(() => undefined);
    await this.#handle.close().catch(() => undefined);
  }

  /** Writes go on during a sync, up to the next one. */
  async #syncBehind(): Promise<void> {
    await this.#syncing;
    this.#syncedPosition = this.#position;
    this.#syncing = this.#handle.datasync();
    this.#syncing.catch(() => undefined);
  }
}
