import type { Checkpoint } from '../restore/checkpoint.js';
import type { Lease } from '../memory/lease.js';
import type { TensorInfo } from '../restore/read_types.js';

const MiB = 1024 * 1024;
/** Tensors up to this size are read many at a time, larger ones as streams. */
export const smallTensorBytesMax = 16 * MiB;
/** Memory of one batch of small tensors. */
export const batchBytes = 64 * MiB;

/** Tensors that are read together: small ones, or a single large one. */
export interface Batch {
  readonly tensors: readonly TensorInfo[];
  readonly bytes: number;
  readonly large: boolean;
}

/** Cuts a list of tensors into batches, in order. */
export function* batchesOf(tensors: Iterable<TensorInfo>): Generator<Batch> {
  let small: TensorInfo[] = [];
  let bytes = 0;
  for (const tensor of tensors) {
    const large = tensor.bytes > smallTensorBytesMax;
    if (small.length > 0 && (large || bytes + tensor.bytes > batchBytes)) {
      yield { tensors: small, bytes, large: false };
      small = [];
      bytes = 0;
    }
    if (large) {
      yield { tensors: [tensor], bytes: tensor.bytes, large };
    } else {
      small.push(tensor);
      bytes += tensor.bytes;
    }
  }
  if (small.length > 0) yield { tensors: small, bytes, large: false };
}

/** Reads small tensors into a lease, one behind the other, and hands out the part of it that they fill. */
export async function readBatch(
  checkpoint: Checkpoint,
  { tensors, bytes }: Batch,
  lease: Lease,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const targets = new Map<string, Uint8Array>();
  let at = 0;
  for (const tensor of tensors) {
    if (tensor.bytes > 0) targets.set(tensor.name, new Uint8Array(lease.buffer, at, tensor.bytes));
    at += tensor.bytes;
  }
  if (targets.size > 0) await checkpoint.readInto(targets, { signal });
  return new Uint8Array(lease.buffer, 0, bytes);
}
