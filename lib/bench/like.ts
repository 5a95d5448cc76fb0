/** A workload with the shapes of a checkpoint that is there. */
import { SnapshardError } from '../errors.js';
import { latestCheckpoint, openCheckpoint, type Checkpoint } from '../restore/checkpoint.js';
import { listCheckpoints } from '../restore/list.js';
import type { SliceInfo, TensorInfo } from '../restore/read_types.js';
import type { LikeWorkload, WorkloadCut, WorkloadSpec, WorkloadTensor } from './workload.js';

export interface LikeOptions extends WorkloadCut {
  /** Default 1. */
  seed?: number;
  /** Default 1. */
  ranks?: number;
}

/**
 * Reads manifests and headers, no data. Where several ranks wrote the checkpoint, each rank here has what that rank
 * wrote; one that does not tell is taken as one rank's.
 * @param path a published step, a root (its newest step that is whole), or anything that `openCheckpoint` opens
 * @throws {SnapshardError} as `openCheckpoint`; `NOT_FOUND` where it has no tensors
 */
export async function specLike(path: string, options: LikeOptions = {}): Promise<WorkloadSpec & LikeWorkload> {
  const checkpoint = await open(path);
  try {
    const shares = sharesOf(checkpoint);
    if (checkpoint.tensors.size === 0) throw nothingThere(checkpoint.path);
    return { seed: 1, ranks: 1, ...options, kind: 'like', path: checkpoint.path, shares };
  } finally {
    await checkpoint.close();
  }
}

async function open(path: string): Promise<Checkpoint> {
  const steps = await listCheckpoints(path).catch(() => []);
  return steps.length > 0 ? latestCheckpoint(path) : openCheckpoint(path);
}

function sharesOf(checkpoint: Checkpoint): WorkloadTensor[][] {
  const shares = Array.from({ length: checkpoint.worldSize ?? 1 }, () => new Map<string, WorkloadTensor>());
  for (const tensor of checkpoint.tensors.values()) {
    for (const slice of tensor.slices) {
      const rank = rankOf(slice);
      while (shares.length <= rank) shares.push(new Map());
      const share = shares[rank]!;
      const name = share.has(tensor.name) ? `${tensor.name}.${share.size}` : tensor.name;
      share.set(name, shapeOf(tensor, slice, name));
    }
  }
  return shares.map((share) => [...share.values()]);
}

function shapeOf({ dtype, group }: TensorInfo, { shape, bytes }: SliceInfo, name: string): WorkloadTensor {
  return { name, dtype, shape: [...shape], group, bytes };
}

const mostRanks = 65_536;

/** Ours and PyTorch DCP's call a rank's files `shard-00001-…`, from 1 on. */
function rankOf({ file }: SliceInfo): number {
  const shard = Number(/^shard-(\d+)-/.exec(file)?.[1] ?? 1);
  return shard >= 1 && shard <= mostRanks ? shard - 1 : 0;
}

function nothingThere(path: string): SnapshardError {
  const message = `The checkpoint ${path} has no tensors to take shapes from: name another.`;
  return new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', message, { path });
}
