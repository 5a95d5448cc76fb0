/**
 * What `snapshard bench --json` and `snapshard tune --json` write, and `--compare` reads: all that was measured, and
 * under which conditions. Sizes are in bytes, times in seconds, ends of names say so. Unknown fields are ignored.
 */
import { z } from 'zod';

const bytes = z.number().int().nonnegative();
const seconds = z.number().nonnegative();

/**
 * What one save did, block by block: columns of equal length, one place for each block of each file, in file order.
 * Times count from the call of `save`; -1 where a block had no such moment.
 */
const traceSchema = z.object({
  /** Unix time, in milliseconds, of the call of `save`: lines up the traces of several ranks. */
  startedAt_ms: z.number(),
  files: z.array(z.string()),
  file: z.array(z.number().int()),
  offset: z.array(bytes),
  bytes: z.array(bytes),
  /** The stager thread that gathered it, from 0. */
  thread: z.array(z.number().int()),
  /** Between these two it was copied and hashed, in turns; and how long each of both took. */
  gatherStartSeconds: z.array(z.number()),
  gatherEndSeconds: z.array(z.number()),
  copySeconds: z.array(z.number()),
  hashSeconds: z.array(z.number()),
  /** Full, and ready to be written; given to the device; taken by it. */
  queuedSeconds: z.array(z.number()),
  submittedSeconds: z.array(z.number()),
  completedSeconds: z.array(z.number()),
  stagedSeconds: seconds,
  writtenSeconds: seconds,
  /** All shard files synced; the checkpoint has its name, durably. */
  durableSeconds: seconds,
  publishedSeconds: seconds,
});

/** What one process did. Only what was measured is there. */
const rankSampleSchema = z.object({
  bytes,
  /** Until durable and published; of a restore, until read and verified. */
  seconds,
  /** Until the device had accepted the last byte, before it was synced. */
  writtenSeconds: seconds.optional(),
  /** Until the tensors may change again: how long a training step is held up. */
  pauseSeconds: seconds.optional(),
  /** Until the call of `save` had returned: how long it held the JavaScript thread. */
  callSeconds: seconds.optional(),
  /** Of the whole process. */
  cpuSeconds: seconds,
  /** Resident memory at its highest, less what was resident before the writer or reader was opened, tensors included. */
  peakBytes: z.number().optional(),
  trace: traceSchema.optional(),
});

/** One repeat: of all ranks, begun together. */
const sampleSchema = z.object({
  /** From 0; what was run in the same round can be compared. */
  round: z.number().int().nonnegative(),
  startedAt: z.string(),
  /** Sums over the ranks, or the slowest rank's, or the largest. */
  bytes,
  seconds,
  writtenSeconds: seconds.optional(),
  pauseSeconds: seconds.optional(),
  cpuSeconds: seconds,
  peakBytes: z.number().optional(),
  /** Bytes of its files in the page cache: of a save when it ended, of a restore when it began. */
  cachedBytes: bytes.optional(),
  ranks: z.array(rankSampleSchema),
});

export const phases = ['save', 'verify', 'restore cold', 'restore warm', 'copy'] as const;

/** A row of the table: something that was measured over and over. */
const rowSchema = z.object({
  /** Such as `snapshard`, `raw`, `fio`, `torch.save`; with the phase it is unique. */
  id: z.string(),
  kind: z.enum(['ours', 'limit', 'rival']),
  phase: z.enum(phases),
  label: z.string(),
  /** Engine, direct or not, versions: how it went about it. */
  how: z.string(),
  /** Why it was not measured, with the line that installs it; else absent. */
  missing: z.string().optional(),
  samples: z.array(sampleSchema),
});

const machineSchema = z.object({
  cpu: z.string(),
  cores: z.number().int(),
  memoryBytes: bytes,
  kernel: z.string(),
});

const targetSchema = z.object({
  /** The folder that was measured. */
  path: z.string(),
  fileSystem: z.string(),
  /** What is mounted there, such as `/dev/nvme0n1p1` or `server:/export`. */
  source: z.string(),
  mountOptions: z.array(z.string()),
  /** Name and model of the block device; absent where there is none. */
  device: z.string().optional(),
  /** Some network file systems report more than a safe integer holds. */
  totalBytes: z.number().nonnegative(),
  freeBytes: z.number().nonnegative(),
  /** Sentences about what the file system or its options do to the figures. */
  remarks: z.array(z.string()),
});

const workloadSchema = z.object({
  /** Such as `MLPerf Llama 3 8B, rank 0 of 8, cut to 4 GiB`. */
  label: z.string(),
  seed: z.number().int(),
  ranks: z.number().int().positive(),
  /** Of all ranks measured here. */
  bytes,
  tensors: z.number().int(),
  /** By group and dtype. */
  mix: z.array(z.object({ group: z.string(), dtype: z.string(), tensors: z.number().int(), bytes })),
});

/** Share of time that is lost, for one way to save. */
const lossSchema = z.object({
  way: z.enum(['blocking', 'background']),
  /** How long training stands still for one save. */
  pauseSeconds: seconds,
  bestIntervalSeconds: seconds,
  /** At the best interval, from 0 to 1. */
  lostShare: z.number(),
  points: z.array(z.object({ intervalSeconds: seconds, lostShare: z.number() })),
});

/** What the figures mean for a training run. */
const meaningSchema = z.object({
  stateBytes: bytes,
  ranks: z.number().int().positive(),
  stepSeconds: seconds.optional(),
  /** Mean time between failures of the whole job. */
  meanTimeBetweenFailuresSeconds: seconds,
  saveSeconds: seconds,
  restoreSeconds: seconds,
  losses: z.array(lossSchema),
});

const conditions = {
  createdAt: z.string(),
  command: z.array(z.string()),
  /** Of `snapshard`, `node`, and whatever else took part. */
  versions: z.record(z.string(), z.string()),
  machine: machineSchema,
  target: targetSchema,
  workload: workloadSchema,
};

/** Options of `CheckpointWriter.open`; what is not here is as by default. */
const writerSchema = z.record(z.string(), z.unknown());

export const benchSchema = z.object({
  format: z.literal('snapshard-bench-1'),
  ...conditions,
  settings: z.object({
    repeat: z.number().int().positive(),
    warmup: z.number().int().nonnegative(),
    /** How long the device rests before each trial writes. */
    restSeconds: seconds,
    /** From the beginning of one save to that of the next, with `--interval`. */
    intervalSeconds: seconds.optional(),
    writer: writerSchema,
  }),
  rows: z.array(rowSchema),
  meaning: meaningSchema.optional(),
  /** What limits this target, and what to change. */
  findings: z.array(z.string()),
});

export const tuneSchema = z.object({
  format: z.literal('snapshard-tune-1'),
  ...conditions,
  settings: z.object({ repeat: z.number().int().positive(), restSeconds: seconds }),
  points: z.array(
    z.object({
      /**
       * The option that this point varies; the others are as the best ones before it. `defaults` was measured in each
       * round; `confirmation` is the choice against the defaults, once more.
       */
      axis: z.string(),
      /** As the table and the plots call it. */
      label: z.string(),
      writer: writerSchema,
      samples: z.array(
        z.object({ round: z.number().int(), bytes, seconds, pauseSeconds: seconds.optional(), cpuSeconds: seconds }),
      ),
    }),
  ),
  chosen: writerSchema,
  findings: z.array(z.string()),
});

export type BenchResult = z.infer<typeof benchSchema>;
export type TuneResult = z.infer<typeof tuneSchema>;
export type Row = z.infer<typeof rowSchema>;
export type Sample = z.infer<typeof sampleSchema>;
export type RankSample = z.infer<typeof rankSampleSchema>;
export type TraceRecord = z.infer<typeof traceSchema>;
export type Phase = (typeof phases)[number];
export type Meaning = z.infer<typeof meaningSchema>;
export type Loss = z.infer<typeof lossSchema>;
export type Machine = z.infer<typeof machineSchema>;
export type Target = z.infer<typeof targetSchema>;
export type Workload = z.infer<typeof workloadSchema>;
