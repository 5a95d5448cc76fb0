import { JsonBytes } from './json_bytes.js';
import type { TimeSlices } from './time_slices.js';

/** What is copied in one go: short enough for a time slice. */
const chunkBytes = 1024 * 1024;

/** JSON of any length, in pieces, so that no step of writing or copying it takes long. */
export class ChunkedJson {
  readonly #chunks: Uint8Array[] = [];
  #finishedBytes = 0;

  /** The piece that is written now. */
  readonly json = new JsonBytes();

  get length(): number {
    return this.#finishedBytes + this.json.length;
  }

  /** To be called now and then, between entries. */
  endEntry(): void {
    if (this.json.length >= chunkBytes) this.#cut();
  }

  finish(): Uint8Array[] {
    this.#cut();
    return this.#chunks;
  }

  #cut(): void {
    this.#chunks.push(this.json.view().slice());
    this.#finishedBytes += this.json.length;
    this.json.rewind(0);
  }
}

/** One array of all pieces; gives way to the event loop. */
export async function joinChunks(chunks: readonly Uint8Array[], slices: TimeSlices): Promise<Uint8Array> {
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let position = 0;
  for (const chunk of chunks) {
    if (slices.spent) await slices.pause();
    bytes.set(chunk, position);
    position += chunk.length;
  }
  return bytes;
}
