import { JsonBytes } from './json_bytes.js';
import type { TimeSlices } from './time_slices.js';

/** What is copied in one go: short enough for a time slice, small enough for a processor's cache. */
const chunkBytes = 256 * 1024;

export interface JsonChunk {
  readonly bytes: Uint8Array;
  /** The positions in it that {@link ChunkedJson.mark} noted. */
  readonly marks: readonly number[];
}

/** JSON of any length, in pieces, so that no step of writing or copying it takes long. */
export class ChunkedJson {
  readonly #chunks: JsonChunk[] = [];
  #marks: number[] = [];

  /** The piece that is written now. */
  readonly json = new JsonBytes();

  /** Notes where the next write begins. */
  mark(): void {
    this.#marks.push(this.json.length);
  }

  /** To be called now and then, between entries. */
  endEntry(): void {
    if (this.json.length >= chunkBytes) this.#cut();
  }

  finish(): JsonChunk[] {
    this.#cut();
    return this.#chunks;
  }

  #cut(): void {
    this.#chunks.push({ bytes: this.json.view().slice(), marks: this.#marks });
    this.#marks = [];
    this.json.rewind(0);
  }
}

/**
 * One array of all pieces; gives way to the event loop.
 * @param onCopied called when a piece has been copied to `position`
 */
export async function joinChunks(
  chunks: readonly JsonChunk[],
  slices: TimeSlices,
  onCopied?: (target: Uint8Array, position: number, chunk: JsonChunk) => void,
): Promise<Uint8Array> {
  const target = new Uint8Array(chunks.reduce((sum, { bytes }) => sum + bytes.length, 0));
  let position = 0;
  for (const chunk of chunks) {
    if (slices.spent) await slices.pause();
    target.set(chunk.bytes, position);
    onCopied?.(target, position, chunk);
    position += chunk.bytes.length;
  }
  return target;
}
