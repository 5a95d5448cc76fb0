import { open, type FileHandle } from 'node:fs/promises';

const windowBytes = 2 ** 20;

/** Reads a file from its start to its end through one buffer of 1 MiB. */
export class SequentialReader {
  readonly bytes: number;
  readonly #handle: FileHandle;
  readonly #window = Buffer.allocUnsafe(windowBytes);
  #begin = 0;
  #end = 0;

  private constructor(handle: FileHandle, bytes: number) {
    this.#handle = handle;
    this.bytes = bytes;
  }

  static async open(path: string): Promise<SequentialReader> {
    const handle = await open(path, 'r');
    const { size } = await handle.stat();
    return new SequentialReader(handle, size);
  }

  /** The next bytes. They are valid until the next call when `bytes` is at most 1 MiB, else a copy. */
  async take(bytes: number): Promise<Buffer> {
    if (bytes > windowBytes) return this.#takeCopy(bytes);
    if (this.#end - this.#begin < bytes) await this.#refill(bytes);
    this.#begin += bytes;
    return this.#window.subarray(this.#begin - bytes, this.#begin);
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #takeCopy(bytes: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let left = bytes; left > 0; left -= windowBytes) {
      parts.push(Buffer.from(await this.take(Math.min(left, windowBytes))));
    }
    return Buffer.concat(parts);
  }

  async #refill(bytes: number): Promise<void> {
    this.#window.copyWithin(0, this.#begin, this.#end);
    this.#end -= this.#begin;
    this.#begin = 0;
    while (this.#end < bytes) {
      const { bytesRead } = await this.#handle.read(this.#window, this.#end, windowBytes - this.#end);
      if (bytesRead === 0) throw new Error('The file ends too early.');
      this.#end += bytesRead;
    }
  }
}
