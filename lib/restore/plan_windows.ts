import type { ReadRequest } from '../binding.js';
import { type Piece, type PlannedRuns, type PlannedSlice, runsOf } from './plan.js';
import type { StoredSlice } from './stored.js';

/** Each slice is cut, from its own first byte, into chunks of so many bytes: what one digest covers. */
export const chunkBytes = 1024 * 1024;

export function chunksOf({ begin, end }: StoredSlice): number {
  return Math.ceil((end - begin) / chunkBytes);
}

/** What one native read is asked for at most: so much memory the lists take, and so long this thread works at a time. */
export interface WindowLimits {
  readonly chunks: number;
  readonly copies: number;
}

export const windowLimits: WindowLimits = { chunks: 2 ** 12, copies: 2 ** 18 };

type Lists = Pick<
  ReadRequest,
  | 'chunkFile'
  | 'chunkOffset'
  | 'chunkBytes'
  | 'chunkCopies'
  | 'copyFrom'
  | 'copyBytes'
  | 'copyTarget'
  | 'copyTo'
>;

/** One part of a read: chunks by file and offset, and the copies from each, as native takes them. */
export interface Window extends Lists {
  /** The files that `chunkFile` counts: indexes in the checkpoint's. */
  readonly files: readonly number[];
  /** Per chunk: the slice that it is of, and which of its chunks it is. */
  readonly slices: readonly PlannedSlice[];
  readonly chunkIndex: Uint32Array;
  /** Of all chunks. */
  readonly bytes: number;
}

/** Numbers in a typed array that grows: a million of them in an array of JavaScript take several times as much. */
class NumberList<List extends Uint32Array<ArrayBuffer> | Float64Array<ArrayBuffer>> {
  readonly #make: (length: number) => List;
  #list: List;
  #length = 0;

  constructor(make: (length: number) => List) {
    this.#make = make;
    this.#list = make(64);
  }

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    if (this.#length === this.#list.length) {
      const grown = this.#make(this.#length * 2);
      grown.set(this.#list);
      this.#list = grown;
    }
    this.#list[this.#length] = value;
    this.#length += 1;
  }

  addToLast(value: number): void {
    this.#list[this.#length - 1]! += value;
  }

  finish(): List {
    return this.#list.subarray(0, this.#length) as List;
  }
}

const integers = (): NumberList<Uint32Array<ArrayBuffer>> => new NumberList((length) => new Uint32Array(length));
const offsets = (): NumberList<Float64Array<ArrayBuffer>> => new NumberList((length) => new Float64Array(length));

/** Gathers chunks and copies up to a limit. */
export class WindowBuilder {
  readonly #limits: WindowLimits;
  readonly #files: number[] = [];
  readonly #slices: PlannedSlice[] = [];
  readonly #chunkIndex = integers();
  readonly #chunkFile = integers();
  readonly #chunkOffset = offsets();
  readonly #chunkBytes = integers();
  readonly #chunkCopies = integers();
  readonly #copyFrom = integers();
  readonly #copyBytes = integers();
  readonly #copyTarget = integers();
  readonly #copyTo = offsets();
  #bytes = 0;

  constructor(limits: WindowLimits) {
    this.#limits = limits;
  }

  get empty(): boolean {
    return this.#slices.length === 0;
  }

  /** Whether there is room for a copy, and for a chunk if that has to come before it. */
  hasRoom(forChunk: boolean): boolean {
    if (forChunk && this.#slices.length >= this.#limits.chunks) return false;
    return this.#copyFrom.length < this.#limits.copies;
  }

  addChunk(planned: PlannedSlice, index: number): void {
    const { file, begin, end } = planned.slice;
    const offset = begin + index * chunkBytes;
    const bytes = Math.min(chunkBytes, end - offset);
    if (this.#files.at(-1) !== file) this.#files.push(file);
    this.#slices.push(planned);
    this.#chunkIndex.push(index);
    this.#chunkFile.push(this.#files.length - 1);
    this.#chunkOffset.push(offset);
    this.#chunkBytes.push(bytes);
    this.#chunkCopies.push(0);
    this.#bytes += bytes;
  }

  /** From the chunk added last. */
  addCopy(from: number, bytes: number, target: number, to: number): void {
    this.#copyFrom.push(from);
    this.#copyBytes.push(bytes);
    this.#copyTarget.push(target);
    this.#copyTo.push(to);
    this.#chunkCopies.addToLast(1);
  }

  finish(): Window {
    return {
      files: this.#files,
      slices: this.#slices,
      chunkIndex: this.#chunkIndex.finish(),
      bytes: this.#bytes,
      chunkFile: this.#chunkFile.finish(),
      chunkOffset: this.#chunkOffset.finish(),
      chunkBytes: this.#chunkBytes.finish(),
      chunkCopies: this.#chunkCopies.finish(),
      copyFrom: this.#copyFrom.finish(),
      copyBytes: this.#copyBytes.finish(),
      copyTarget: this.#copyTarget.finish(),
      copyTo: this.#copyTo.finish(),
    };
  }
}

/** The runs of several shares of one slice, that of the lowest position first: a binary heap. */
class RunHeap {
  readonly #heap: PlannedRuns[];

  constructor(all: PlannedRuns[]) {
    // In ascending order an array is a heap.
    this.#heap = all.sort((left, right) => left.runs.from - right.runs.from);
  }

  /** `undefined` when all runs have been taken. */
  get first(): PlannedRuns | undefined {
    const first = this.#heap[0];
    return first === undefined || first.runs.from === Infinity ? undefined : first;
  }

  /** Puts the first one, which has moved on, where it belongs. */
  settle(): void {
    const heap = this.#heap;
    for (let at = 0; ; ) {
      const [left, right] = [at * 2 + 1, at * 2 + 2];
      const child = right < heap.length && heap[right]!.runs.from < heap[left]!.runs.from ? right : left;
      if (child >= heap.length || heap[child]!.runs.from >= heap[at]!.runs.from) return;
      [heap[at], heap[child]] = [heap[child]!, heap[at]!];
      at = child;
    }
  }
}

/** The piece that holds a byte of its region. */
function pieceAt(pieces: readonly Piece[], position: number): Piece {
  let [low, high] = [0, pieces.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (pieces[middle]!.end <= position) low = middle + 1;
    else high = middle;
  }
  return pieces[low]!;
}

/** Copies one run, or as much of it as lies in this chunk and in one piece. */
function copyOnce(builder: WindowBuilder, { runs, pieces }: PlannedRuns, chunkBegin: number): void {
  const piece = pieceAt(pieces, runs.to);
  const bytes = Math.min(runs.bytes, chunkBegin + chunkBytes - runs.from, piece.end - runs.to);
  builder.addCopy(runs.from - chunkBegin, bytes, piece.target, piece.offset + runs.to - piece.begin);
  runs.take(bytes);
}

/** Cuts a plan into windows, which are made one after the other as they are asked for. */
export function* cutWindows(
  slices: readonly PlannedSlice[],
  limits: WindowLimits = windowLimits,
): Generator<Window, void, undefined> {
  let builder = new WindowBuilder(limits);
  for (const planned of slices) {
    const heap = new RunHeap(runsOf(planned));
    let open = -1;
    for (let share = heap.first; share !== undefined; share = heap.first) {
      const index = Math.floor(share.runs.from / chunkBytes);
      while (share.runs.from < (index + 1) * chunkBytes) {
        if (!builder.hasRoom(index !== open)) {
          yield builder.finish();
          builder = new WindowBuilder(limits);
          open = -1;
        }
        if (index !== open) builder.addChunk(planned, index);
        open = index;
        copyOnce(builder, share, index * chunkBytes);
      }
      heap.settle();
    }
  }
  if (!builder.empty) yield builder.finish();
}

/**
 * All chunks of slices, with nothing to copy, in windows of at most so many chunks.
 * @param isThere whether a file goes as far as a chunk
 */
export function* cutWhole(
  slices: Iterable<PlannedSlice>,
  chunks: number,
  isThere: (file: number, end: number) => boolean = () => true,
): Generator<Window, void, undefined> {
  const limits = { chunks, copies: 1 };
  let builder = new WindowBuilder(limits);
  for (const planned of slices) {
    const { file, begin, end } = planned.slice;
    for (let index = 0; index < chunksOf(planned.slice); index += 1) {
      if (!isThere(file, Math.min(end, begin + (index + 1) * chunkBytes))) break;
      if (!builder.hasRoom(true)) {
        yield builder.finish();
        builder = new WindowBuilder(limits);
      }
      builder.addChunk(planned, index);
    }
  }
  if (!builder.empty) yield builder.finish();
}
