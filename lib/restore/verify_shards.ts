import { lstat, stat } from 'node:fs/promises';
import { binding } from '../binding.js';
import { digestBytes } from '../layout/format.js';
import type { TimeSlices } from '../layout/time_slices.js';
import type { ChunkDigests } from './chunk_digests.js';
import type { PlannedSlice } from './plan.js';
import { chunksOf, cutWhole, type Window } from './plan_windows.js';
import { fileError } from './foreign_files.js';
import { ReadCheck, type Finding } from './read_check.js';
import { readRanges } from './read_ranges.js';
import type { ReadSource } from './read_source.js';
import type { Damage } from './read_types.js';
import { ShardDigests } from './shard_digests.js';
import { isDamage, reasonOf, WindowHasher, type WindowHashes } from './verify_hashes.js';
import { headerFault, slicesByFile } from './verify_headers.js';
import type { VerifyMeter } from './verify_meter.js';

/** Few enough that progress is seen, and that a part that cannot be read is soon found. */
const windowChunks = 4096;
const windowsAhead = 2;
const looksAtOnce = 16;

/** What has been seen of one shard. */
interface Shard {
  readonly slices: readonly PlannedSlice[];
  /** `undefined` where it is missing. */
  readonly lengthNow: number | undefined;
  readonly digests: ShardDigests;
  /** Whether no damage of its tensors has been found. */
  intact: boolean;
}

/** What a check has from its caller. */
export interface VerifyContext {
  readonly meter: VerifyMeter;
  readonly signal: AbortSignal | undefined;
  readonly slices: TimeSlices;
}

/** Reads all shards, and compares headers, chunks and lengths. */
export class ShardVerification {
  readonly damaged: Damage[] = [];
  /** Chunks that were read. */
  chunks = 0;
  readonly #source: ReadSource;
  readonly #meter: VerifyMeter;
  readonly #signal: AbortSignal | undefined;
  readonly #slices: TimeSlices;
  readonly #check: ReadCheck;
  #shards: Shard[] = [];

  constructor(source: ReadSource, lists: ChunkDigests, { meter, signal, slices }: VerifyContext) {
    this.#source = source;
    this.#meter = meter;
    this.#signal = signal;
    this.#slices = slices;
    this.#check = new ReadCheck(lists);
  }

  async run(): Promise<void> {
    await this.#measure();
    for (let file = 0; file < this.#shards.length; file += 1) await this.#readHeader(file);
    await this.#readData();
    if (!this.#source.opened.stored.hasDigests) return;
    for (const finding of await this.#check.finish(this.#signal)) this.#addFinding(finding);
    for (let file = 0; file < this.#shards.length; file += 1) await this.#compareFile(file);
  }

  async #measure(): Promise<void> {
    const { files, opened } = this.#source;
    const byFile = await slicesByFile(opened.stored, this.#slices);
    const measure = opened.followLinks ? stat : lstat;
    for (let first = 0; first < files.length; first += looksAtOnce) {
      const some = files.slice(first, first + looksAtOnce);
      const lengths = await Promise.all(some.map(({ path }) => lengthAt(this.#source.pathOf(path), measure)));
      for (const [index, lengthNow] of lengths.entries()) {
        const file = first + index;
        const slices = byFile[file]!;
        const digests = new ShardDigests(chunksWithHeader(slices), (lengthNow ?? 0) < files[file]!.bytes);
        this.#shards.push({ slices, lengthNow, digests, intact: true });
        this.#compareLength(file);
      }
    }
  }

  #compareLength(file: number): void {
    const { bytes, headerBytes } = this.#source.files[file]!;
    const { lengthNow, slices } = this.#shards[file]!;
    if (lengthNow === bytes) return;
    if (lengthNow !== undefined && lengthNow > bytes) {
      this.#add(file, bytes, lengthNow - bytes, 'the file is longer than it was');
      return;
    }
    const reason = lengthNow === undefined ? 'the file is missing' : `the file ends at byte ${lengthNow}`;
    const end = lengthNow ?? 0;
    if (end < headerBytes) this.#add(file, end, headerBytes - end, reason);
    for (const { tensor, slice } of slices) {
      const begin = Math.max(end, slice.begin);
      if (slice.end > begin) this.#add(file, begin, slice.end - begin, reason, tensor.name);
    }
  }

  async #readHeader(file: number): Promise<void> {
    const stored = this.#source.files[file]!;
    const shard = this.#shards[file]!;
    if ((shard.lengthNow ?? 0) < stored.headerBytes) return;
    const { hasDigests, format } = this.#source.opened.stored;
    const range = { path: stored.path, begin: 0, bytes: stored.headerBytes };
    let header: Uint8Array;
    try {
      [header] = (await this.#meter.count(range.bytes, readRanges(this.#source, [range], this.#signal))) as [Uint8Array];
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#add(file, 0, stored.headerBytes, `the header: ${reasonOf(error)}`);
      shard.digests.miss();
      return;
    }
    this.chunks += 1;
    if (hasDigests) shard.digests.addHeader(Buffer.from(binding.digest(header), 'hex'));
    const fault = await headerFault(header, stored, shard.slices, format === 'snapshard', this.#slices);
    if (fault !== undefined) this.#add(file, 0, stored.headerBytes, `the header: ${fault}`);
  }

  async #readData(): Promise<void> {
    const hasher = new WindowHasher(this.#source, this.#meter, this.#signal);
    const ahead: { window: Window; hashes: Promise<WindowHashes> }[] = [];
    const takeFirst = async (): Promise<void> => {
      const { window, hashes } = ahead.shift()!;
      this.#take(window, await hashes);
      // Of small tensors, the next window has been read by now, and would be taken in the same turn.
      if (this.#slices.spent) await this.#slices.pause();
    };
    try {
      for (const window of cutWhole(this.#planned(), windowChunks, this.#isThere)) {
        if (ahead.length === windowsAhead) await takeFirst();
        const hashes = hasher.hash(window);
        hashes.catch(() => undefined);
        ahead.push({ window, hashes });
      }
      while (ahead.length > 0) await takeFirst();
    } finally {
      await Promise.allSettled(ahead.map(({ hashes }) => hashes));
      hasher.end();
    }
  }

  *#planned(): Generator<PlannedSlice, void, undefined> {
    for (const { slices } of this.#shards) yield* slices;
  }

  readonly #isThere = (file: number, end: number): boolean => end <= (this.#shards[file]!.lengthNow ?? 0);

  #take(window: Window, { digests, unreadable }: WindowHashes): void {
    const failed = new Set(unreadable.map(({ chunk }) => chunk));
    for (const { chunk, reason } of unreadable) {
      const { tensor, slice } = window.slices[chunk]!;
      this.#add(slice.file, window.chunkOffset[chunk]!, window.chunkBytes[chunk]!, reason, tensor.name);
      this.#shards[slice.file]!.digests.miss();
    }
    this.chunks += window.slices.length - failed.size;
    if (!this.#source.opened.stored.hasDigests) return;
    const kept = [...window.slices.keys()].filter((chunk) => !failed.has(chunk));
    for (const chunk of kept) {
      const own = digests.subarray(chunk * digestBytes, (chunk + 1) * digestBytes);
      this.#shards[window.slices[chunk]!.slice.file]!.digests.add(own);
    }
    if (failed.size === 0) this.#check.add(window, digests);
    else this.#check.add(pick(window, kept), pickDigests(digests, kept));
  }

  #addFinding({ planned, offset, bytes, unknown }: Finding): void {
    const reason = unknown
      ? 'its tensor is not what was saved, and the digests that would tell where are damaged, too'
      : 'it is not what was saved';
    this.#add(planned.slice.file, offset, bytes, reason, planned.tensor.name);
  }

  /** The digest of the whole file: where the tensors are well, it is the header that is not, or its digest. */
  async #compareFile(file: number): Promise<void> {
    const stored = this.#source.files[file]!;
    const shard = this.#shards[file]!;
    const { header, complete, digest } = shard.digests;
    if (header === undefined || digest === stored.digest) return;
    if (this.#damagedAt(file, 0)) return;
    const reason = 'the header is not what was saved';
    if (shard.intact && complete) {
      this.#add(file, 0, stored.headerBytes, reason);
      return;
    }
    const { path, offset } = stored.chunkDigests!;
    const range = { path, begin: offset, bytes: chunksWithHeader(shard.slices) * digestBytes };
    const [list] = await readRanges(this.#source, [range], this.#signal).catch(() => [new Uint8Array()]);
    // Damaged digests are listed by themselves.
    if (binding.digest(list!) !== stored.digest) return;
    if (Buffer.compare(header, list!.subarray(0, digestBytes)) !== 0) this.#add(file, 0, stored.headerBytes, reason);
  }

  #damagedAt(file: number, offset: number): boolean {
    const { path } = this.#source.files[file]!;
    return this.damaged.some((damage) => damage.file === path && damage.offset === offset);
  }

  #add(file: number, offset: number, bytes: number, reason: string, tensor?: string): void {
    if (tensor !== undefined) this.#shards[file]!.intact = false;
    this.damaged.push({ file: this.#source.files[file]!.path, offset, bytes, tensor, reason });
  }
}

/** Of a file, from its slices as they lie there. */
function chunksWithHeader(slices: readonly PlannedSlice[]): number {
  const last = slices.at(-1)?.slice;
  return last === undefined ? 1 : last.firstChunk + chunksOf(last);
}

function pick({ slices, chunkIndex }: Window, kept: readonly number[]): Pick<Window, 'slices' | 'chunkIndex'> {
  return { slices: kept.map((chunk) => slices[chunk]!), chunkIndex: Uint32Array.from(kept, (chunk) => chunkIndex[chunk]!) };
}

function pickDigests(digests: Uint8Array, kept: readonly number[]): Uint8Array {
  return Buffer.concat(kept.map((chunk) => digests.subarray(chunk * digestBytes, (chunk + 1) * digestBytes)));
}

async function lengthAt(path: string, measure: typeof stat): Promise<number | undefined> {
  try {
    const status = await measure(path);
    return status.isFile() ? status.size : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw fileError(error, 'look at', path);
  }
}
