import type { Checkpoint } from '../restore/checkpoint.js';
import type { Plan, PlannedFile } from '../layout/plan.js';
import { allocateLease, type Lease } from '../memory/lease.js';
import type { NativeStore } from '../store/native_store.js';
import type { TensorInfo } from '../restore/read_types.js';
import { batchBytes, batchesOf, readBatch } from './contents.js';
import { ExportFile } from './export_file.js';

export interface ExportJob {
  readonly checkpoint: Checkpoint;
  readonly plan: Plan;
  /** Where the files are made: a folder, below a store. */
  readonly store: NativeStore;
  readonly folder: string;
  readonly signal: AbortSignal;
  /** Is told how many bytes of tensors were written since the last time. */
  readonly onBytes: (bytes: number) => void;
}

/** Writes the planned files one after the other: what is read next is read while what was read before is written. */
export async function writeShards(job: ExportJob): Promise<void> {
  const leases: [Lease, Lease] = [allocateLease(batchBytes), allocateLease(batchBytes)];
  try {
    for (const file of job.plan.files) await writeShard(job, file, leases);
  } finally {
    for (const lease of leases) lease.dispose();
  }
}

async function writeShard(job: ExportJob, planned: PlannedFile, leases: readonly [Lease, Lease]): Promise<void> {
  const file = await ExportFile.create(job.store, `${job.folder}/${planned.path}`);
  const write = (bytes: Uint8Array): Promise<void> => {
    const written = file.write(bytes);
    // It may fail long before the next has been read, and then nobody waits for it yet.
    written.catch(() => undefined);
    return written;
  };
  // What was read last; it is being written while the next is read.
  let writing = write(planned.header);
  try {
    for await (const bytes of contentsOf(job, planned, leases)) {
      await writing;
      job.signal.throwIfAborted();
      writing = write(bytes);
      job.onBytes(bytes.length);
    }
    await writing;
    await file.finish();
  } catch (error) {
    await writing.catch(() => undefined);
    await file.abandon();
    throw error;
  }
}

/** The tensors of a file in its order, in pieces; each piece stays as it is until the one after the next is asked for. */
async function* contentsOf(
  { checkpoint, plan, signal }: ExportJob,
  { firstSlice, sliceCount }: PlannedFile,
  leases: readonly [Lease, Lease],
): AsyncGenerator<Uint8Array> {
  const specs = plan.sliceSpecs.slice(firstSlice, firstSlice + sliceCount);
  const tensors = specs.map(({ name }): TensorInfo => checkpoint.tensors.get(name)!);
  let turn = 0;
  for (const batch of batchesOf(tensors)) {
    if (batch.large) {
      yield* checkpoint.stream(batch.tensors[0]!.name, { signal });
    } else {
      yield await readBatch(checkpoint, batch, leases[turn]!, signal);
      turn = 1 - turn;
    }
  }
}
