import { binding } from '../binding.js';
import { SnapshardError } from '../errors.js';
import { digestBytes } from '../layout/format.js';
import { quote } from '../tensor/describe.js';
import type { ChunkDigests } from './chunk_digests.js';
import type { PlannedSlice } from './plan.js';
import { chunkBytes, chunksOf, type Window } from './plan_windows.js';
import type { ReadSource } from './read_source.js';
import type { StoredSlice } from './stored.js';

/** Bytes of a slice that are not what their digest says, or of which nobody can tell. */
export interface Finding {
  readonly planned: PlannedSlice;
  /** In its file. */
  readonly offset: number;
  readonly bytes: number;
  /** Whether the digests themselves are damaged, so that it cannot be told where the damage is, or if there is any. */
  readonly unknown: boolean;
}

/** Chunks of one slice that follow each other, and their digests as they were read. */
interface Group {
  readonly planned: PlannedSlice;
  readonly indexes: number[];
  digests: Uint8Array;
}

const placesToldMax = 4;

function sameDigest(list: Uint8Array, at: number, other: Uint8Array, otherAt: number): boolean {
  const [begin, otherBegin] = [at * digestBytes, otherAt * digestBytes];
  return Buffer.compare(
    list.subarray(begin, begin + digestBytes),
    other.subarray(otherBegin, otherBegin + digestBytes),
  ) === 0;
}

/**
 * Compares the digests of what was read. Chunks come in the order of the plan: a slice of which all have come is
 * compared by its own digest, and others, by the list of their chunks, at the end.
 */
export class ReadCheck {
  readonly #lists: ChunkDigests;
  readonly #pending: Group[] = [];
  #open: Group | undefined;

  constructor(lists: ChunkDigests) {
    this.#lists = lists;
  }

  /** Takes the digests of a window, in the order of its chunks. */
  add({ slices, chunkIndex }: Pick<Window, 'slices' | 'chunkIndex'>, digests: Uint8Array): void {
    for (let begin = 0, end = 0; begin < slices.length; begin = end) {
      const planned = slices[begin]!;
      for (end = begin; slices[end] === planned; ) end += 1;
      if (this.#open?.planned !== planned) this.#closeGroup();
      const own = digests.subarray(begin * digestBytes, end * digestBytes);
      this.#open = joined(this.#open, planned, chunkIndex.subarray(begin, end), own);
    }
  }

  /** What did not match. */
  async finish(signal?: AbortSignal): Promise<Finding[]> {
    this.#closeGroup();
    const lists = await this.#lists.load(
      this.#pending.map(({ planned }) => planned.slice),
      signal,
    );
    return this.#pending.flatMap((group) => compare(group, lists.get(group.planned.slice)));
  }

  #closeGroup(): void {
    const group = this.#open;
    this.#open = undefined;
    if (group === undefined) return;
    const { planned, indexes, digests } = group;
    const isWhole = indexes.length === chunksOf(planned.slice) && indexes.every((chunk, index) => chunk === index);
    if (isWhole && binding.digest(digests) === planned.slice.digest) return;
    this.#pending.push({ ...group, digests: digests.slice() });
  }
}

/** A chunk whose copies are in two windows was read twice: once is enough where both times the same came. */
function joined(before: Group | undefined, planned: PlannedSlice, indexes: Uint32Array, digests: Uint8Array): Group {
  if (before === undefined) return { planned, indexes: [...indexes], digests };
  const last = before.indexes.length - 1;
  const isRepeat = before.indexes[last] === indexes[0] && sameDigest(before.digests, last, digests, 0);
  const skipped = isRepeat ? 1 : 0;
  for (const index of indexes.subarray(skipped)) before.indexes.push(index);
  before.digests = Buffer.concat([before.digests, digests.subarray(skipped * digestBytes)]);
  return before;
}

function compare({ planned, indexes, digests }: Group, list: Uint8Array | undefined): Finding[] {
  const { slice } = planned;
  const findings: Finding[] = [];
  for (const [position, index] of indexes.entries()) {
    if (list !== undefined && sameDigest(digests, position, list, index)) continue;
    findings.push({ planned, ...chunkRange(slice, index), unknown: list === undefined });
  }
  return findings;
}

function chunkRange({ begin, end }: StoredSlice, index: number): { offset: number; bytes: number } {
  const offset = begin + index * chunkBytes;
  return { offset, bytes: Math.min(chunkBytes, end - offset) };
}

/** The error for what a read found. */
export function corruptRead(source: ReadSource, lists: ChunkDigests, findings: readonly Finding[]): SnapshardError {
  const { planned, unknown } = findings[0]!;
  const { tensor, slice } = planned;
  const file = source.files[slice.file]!.path;
  const own = findings.filter((finding) => finding.planned === planned);
  const places = own.slice(0, placesToldMax).map(({ offset }) => offset);
  const at = `${file} at byte ${places.join(', ')}${own.length > places.length ? ', …' : ''}`;
  const others = new Set(findings.map((finding) => finding.planned.tensor.name));
  others.delete(tensor.name);
  const more = others.size === 0 ? '' : ` So are parts of ${others.size} other tensors: ${namesOf(others)}.`;
  const what = unknown
    ? `cannot be checked: the digests of its chunks in ${lists.rangeOf(slice).path} are damaged, and what was read of ` +
      `${at} may be, too. If it can be read whole, only the digests are`
    : `is damaged: ${own.length} of its chunks of up to 1 MiB are not what was saved, in ${at}`;
  const message = `Tensor ${quote(tensor.name)} ${what}.${more} Nothing that was read is handed out.`;
  return new SnapshardError('ERR_SNAPSHARD_CORRUPT', message, { path: source.pathOf(file) });
}

function namesOf(names: ReadonlySet<string>): string {
  const told = [...names].slice(0, placesToldMax).map(quote).join(', ');
  return names.size > placesToldMax ? `${told}, …` : told;
}
