import { binding, type ReadRequest } from '../binding.js';
import { SourceKind } from '../tensor/source.js';
import { chunkBytes } from './plan_windows.js';
import { readError } from './read_error.js';
import type { ReadSource } from './read_source.js';

/** Some bytes of a file of the checkpoint. */
export interface FileRange {
  readonly path: string;
  readonly begin: number;
  readonly bytes: number;
}

/** Pieces that native takes, each into its place in one buffer. */
function requestOf(ranges: readonly FileRange[], order: readonly number[], memory: ArrayBuffer): Omit<ReadRequest, 'followLinks'> {
  const paths: string[] = [];
  const [file, offset, length, to]: number[][] = [[], [], [], []];
  const places = placesOf(ranges);
  for (const index of order) {
    const { path, begin, bytes } = ranges[index]!;
    if (paths.at(-1) !== path) paths.push(path);
    for (let done = 0; done < bytes; done += chunkBytes) {
      file!.push(paths.length - 1);
      offset!.push(begin + done);
      length!.push(Math.min(chunkBytes, bytes - done));
      to!.push(places[index]! + done);
    }
  }
  const count = file!.length;
  return {
    paths,
    chunkFile: new Uint32Array(file!),
    chunkOffset: new Float64Array(offset!),
    chunkBytes: new Uint32Array(length!),
    hash: false,
    chunkCopies: new Uint32Array(count).fill(1),
    copyFrom: new Uint32Array(count),
    copyBytes: new Uint32Array(length!),
    copyTarget: new Uint32Array(count),
    copyTo: new Float64Array(to!),
    targets: [memory],
    targetKinds: new Uint8Array([SourceKind.Buffer]),
  };
}

/** Where each range begins in the buffer that holds all of them, and where the last ends. */
function placesOf(ranges: readonly FileRange[]): number[] {
  let end = 0;
  return [0, ...ranges.map(({ bytes }) => (end += bytes))];
}

function inFileOrder(ranges: readonly FileRange[]): number[] {
  const before = (left: FileRange, right: FileRange): number => {
    if (left.path !== right.path) return left.path < right.path ? -1 : 1;
    return left.begin - right.begin;
  };
  return ranges.map((_, index) => index).sort((left, right) => before(ranges[left]!, ranges[right]!));
}

/**
 * Small parts of files, as they are: whoever asks for them compares their digests. No two of one file may overlap.
 * @throws {SnapshardError} what the system said; or the signal's reason
 */
export async function readRanges(
  source: ReadSource,
  ranges: readonly FileRange[],
  signal?: AbortSignal,
): Promise<Uint8Array[]> {
  const places = placesOf(ranges);
  const memory = new ArrayBuffer(places.at(-1)!);
  if (memory.byteLength > 0) {
    signal?.throwIfAborted();
    const { handle } = await source.staging();
    const request = { ...requestOf(ranges, inFileOrder(ranges), memory), followLinks: source.opened.followLinks };
    try {
      await binding.startRead(handle, source.opened.store.handle, request).done;
    } catch (error) {
      throw readError(error, source);
    }
    signal?.throwIfAborted();
  }
  return ranges.map(({ bytes }, index) => new Uint8Array(memory, places[index], bytes));
}
