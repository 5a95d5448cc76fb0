import { join } from 'node:path';
import { checkHeaderMetadata } from './header_metadata.js';
import { digestOf, hexDigestOf } from './hash.js';
import { SequentialReader } from './reader.js';
import type { ShardEntry, SliceEntry } from './rank.js';
import { readHeader, type StoredTensor } from './safetensors.js';

const chunkBytes = 2 ** 20;
const digestBytes = 16;

/** Hands out the chunk digests of a rank in their order. */
export class DigestCursor {
  readonly #digests: Buffer;
  #at = 0;

  constructor(digests: Buffer) {
    if (digests.length % digestBytes !== 0) throw new Error(`${digests.length} bytes are not whole digests`);
    this.#digests = digests;
  }

  get position(): number {
    return this.#at / digestBytes;
  }

  /** Compares the digest of `chunk` with the next of the list. */
  match(chunk: Buffer, what: string): void {
    const expected = this.#digests.subarray(this.#at, this.#at + digestBytes);
    if (expected.length === 0) throw new Error(`the digest file has no digest for ${what}`);
    if (!digestOf(chunk).equals(expected)) throw new Error(`${what} does not match its digest`);
    this.#at += digestBytes;
  }

  /** The digest of the digests from a position up to here. */
  digestSince(position: number): string {
    return hexDigestOf(this.#digests.subarray(position * digestBytes, this.#at));
  }

  requireEnd(): void {
    const left = (this.#digests.length - this.#at) / digestBytes;
    if (left > 0) throw new Error(`the digest file has ${left} digests more than there are chunks`);
  }
}

export interface ShardParts {
  shard: ShardEntry;
  /** Whether its header must tell where each tensor begins, though it be whole: so it is of several ranks. */
  sliced: boolean;
}

/** Reads a shard once, from its start to its end, and checks its form, its tensors and all its digests. */
export async function checkShard(
  directory: string,
  { shard, sliced }: ShardParts,
  digests: DigestCursor,
  signal: AbortSignal | undefined,
): Promise<void> {
  const reader = await SequentialReader.open(join(directory, shard.name));
  try {
    if (reader.bytes !== shard.bytes) throw new Error(`it is ${reader.bytes} bytes long, not ${shard.bytes}`);
    const first = digests.position;
    const header = await readHeader(reader);
    if (header.bytes.length !== shard.headerBytes) throw new Error(`its header is not ${shard.headerBytes} bytes long`);
    digests.match(header.bytes, 'its header');
    requireSameTensors(header.tensors, shard.slices);
    checkHeaderMetadata(header.metadata, shard.slices, sliced);
    for (const slice of shard.slices) await checkSlice(reader, slice, digests, signal);
    if (digests.digestSince(first) !== shard.digest) throw new Error('its digest is not that of its chunks');
  } finally {
    await reader.close();
  }
}

async function checkSlice(
  reader: SequentialReader,
  { name, begin, end, digest }: SliceEntry,
  digests: DigestCursor,
  signal: AbortSignal | undefined,
): Promise<void> {
  const first = digests.position;
  for (let at = begin; at < end; at += chunkBytes) {
    signal?.throwIfAborted();
    const bytes = Math.min(chunkBytes, end - at);
    const what = `chunk ${(at - begin) / chunkBytes} of ${name} (bytes ${at} to ${at + bytes})`;
    digests.match(await reader.take(bytes), what);
  }
  if (digests.digestSince(first) !== digest) throw new Error(`the digest of ${name} is not that of its chunks`);
}

function requireSameTensors(stored: StoredTensor[], slices: SliceEntry[]): void {
  if (stored.length !== slices.length) {
    throw new Error(`its header has ${stored.length} tensors, the manifest of its rank ${slices.length}`);
  }
  const byName = new Map(stored.map((tensor) => [tensor.name, tensor]));
  for (const slice of slices) {
    const tensor = byName.get(slice.name);
    const same =
      tensor?.dtype === slice.dtype &&
      tensor.begin === slice.begin &&
      tensor.end === slice.end &&
      tensor.shape.join() === slice.shape.join();
    if (!same) throw new Error(`${slice.name} is not in its header as the manifest of its rank has it`);
  }
}
