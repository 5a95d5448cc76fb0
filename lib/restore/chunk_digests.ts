import { binding } from '../binding.js';
import { digestBytes } from '../layout/format.js';
import { chunksOf } from './plan_windows.js';
import { readRanges, type FileRange } from './read_ranges.js';
import type { ReadSource } from './read_source.js';
import type { StoredSlice } from './stored.js';

/** Lists kept for the next read: of 2 TiB of slices. */
const keptBytesMax = 32 * 1024 * 1024;

/**
 * The digests of single chunks, by slice. A list is read only where a slice is read in part, or is damaged, and only
 * that slice's part of the file: it is checked by the slice's own digest, which the manifests vouch for.
 */
export class ChunkDigests {
  readonly #source: ReadSource;
  readonly #kept = new Map<StoredSlice, Uint8Array>();
  #keptBytes = 0;

  constructor(source: ReadSource) {
    this.#source = source;
  }

  /**
   * 16 bytes for each chunk of each slice.
   * @returns no entry for a slice whose list is itself damaged
   */
  async load(slices: readonly StoredSlice[], signal?: AbortSignal): Promise<ReadonlyMap<StoredSlice, Uint8Array>> {
    const lists = new Map<StoredSlice, Uint8Array>();
    const missing: StoredSlice[] = [];
    for (const slice of new Set(slices)) {
      const kept = this.#kept.get(slice);
      if (kept === undefined) missing.push(slice);
      else lists.set(slice, kept);
    }
    const ranges = missing.map((slice) => this.rangeOf(slice));
    for (const [index, list] of (await readRanges(this.#source, ranges, signal)).entries()) {
      const slice = missing[index]!;
      if (binding.digest(list) !== slice.digest) continue;
      lists.set(slice, list);
      this.#keep(slice, list.slice());
    }
    return lists;
  }

  /** Where the list of a slice is. */
  rangeOf(slice: StoredSlice): FileRange {
    const { path, offset } = this.#source.files[slice.file]!.chunkDigests!;
    return { path, begin: offset + slice.firstChunk * digestBytes, bytes: chunksOf(slice) * digestBytes };
  }

  #keep(slice: StoredSlice, list: Uint8Array): void {
    this.#kept.set(slice, list);
    this.#keptBytes += list.length;
    for (const [oldest, { length }] of this.#kept) {
      if (this.#keptBytes <= keptBytesMax) return;
      this.#kept.delete(oldest);
      this.#keptBytes -= length;
    }
  }
}
