import type { Checkpoint } from '../restore/checkpoint.js';
import { allocateLease, type Lease } from '../memory/lease.js';
import type { SliceInfo, TensorInfo } from '../restore/read_types.js';
import { sameDimensions } from '../tensor/shape.js';
import { type Batch, batchBytes, batchesOf, readBatch } from './contents.js';

/** A tensor as two checkpoints have it. */
export interface Pair {
  readonly a: TensorInfo;
  readonly b: TensorInfo;
}

/** Whether the bytes are equal, as far as digests tell: only of tensors that both are cut the same way. */
export function equalByDigest({ a, b }: Pair): boolean | undefined {
  if (a.slices.length !== b.slices.length) return undefined;
  const others = new Map(b.slices.map((slice) => [slice.origin.join(), slice]));
  let equal = true;
  for (const slice of a.slices) {
    const other = others.get(slice.origin.join());
    if (other === undefined || !comparable(slice, other)) return undefined;
    equal &&= slice.digest === other.digest;
  }
  return equal;
}

function comparable(left: SliceInfo, right: SliceInfo): boolean {
  if (left.digest === undefined || right.digest === undefined) return false;
  return sameDimensions(left.shape, right.shape);
}

/** Reads tensors of two checkpoints and compares them; holds a bounded part of them at a time. */
export class ContentComparison implements Disposable {
  readonly #a: Checkpoint;
  readonly #b: Checkpoint;
  readonly #leases: readonly [Lease, Lease] = [allocateLease(batchBytes), allocateLease(batchBytes)];
  readonly #signal: AbortSignal;

  constructor(a: Checkpoint, b: Checkpoint, signal: AbortSignal) {
    this.#a = a;
    this.#b = b;
    this.#signal = signal;
  }

  /**
   * The names of those whose bytes differ.
   * @param pairs of equal dtype and shape
   * @param onBytes is told how many bytes of tensors were dealt with since the last time
   */
  async differing(pairs: readonly Pair[], onBytes: (bytes: number) => void): Promise<Set<string>> {
    const names = new Set<string>();
    for (const batch of batchesOf(pairs.map(({ a }) => a))) {
      const found = batch.large ? await this.#compareLarge(batch.tensors[0]!, onBytes) : await this.#compareSmall(batch);
      for (const name of found) names.add(name);
      if (!batch.large) onBytes(batch.bytes);
    }
    return names;
  }

  async #compareSmall(batch: Batch): Promise<string[]> {
    const [left, right] = await Promise.all([
      readBatch(this.#a, batch, this.#leases[0], this.#signal),
      readBatch(this.#b, batch, this.#leases[1], this.#signal),
    ]);
    const names: string[] = [];
    let at = 0;
    for (const { name, bytes } of batch.tensors) {
      const end = at + bytes;
      if (Buffer.compare(left.subarray(at, end), right.subarray(at, end)) !== 0) names.push(name);
      at = end;
    }
    return names;
  }

  async #compareLarge({ name, bytes }: TensorInfo, onBytes: (bytes: number) => void): Promise<string[]> {
    const options = { signal: this.#signal };
    let left = 0;
    for await (const equalBytes of equalStretches(this.#a.stream(name, options), this.#b.stream(name, options))) {
      onBytes(equalBytes);
      left += equalBytes;
    }
    onBytes(bytes - left);
    return left === bytes ? [] : [name];
  }

  [Symbol.dispose](): void {
    for (const lease of this.#leases) lease.dispose();
  }
}

/** The lengths of equal stretches of two streams of the same length, up to where they differ. */
async function* equalStretches(
  left: AsyncIterable<Uint8Array>,
  right: AsyncIterable<Uint8Array>,
): AsyncGenerator<number> {
  const others = right[Symbol.asyncIterator]();
  let other: Uint8Array = new Uint8Array();
  try {
    for await (const piece of left) {
      for (let at = 0; at < piece.length; ) {
        if (other.length === 0) other = ((await others.next()) as IteratorYieldResult<Uint8Array>).value;
        const bytes = Math.min(other.length, piece.length - at);
        if (Buffer.compare(piece.subarray(at, at + bytes), other.subarray(0, bytes)) !== 0) return;
        yield bytes;
        other = other.subarray(bytes);
        at += bytes;
      }
    }
  } finally {
    await others.return?.();
  }
}
