/** The trace of a save, as a pipeline that was played through leaves it. */
import type { TraceRecord } from '../../lib/bench/result.js';

const MiB = 2 ** 20;

/** mulberry32: the same seed gives the same numbers. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface TraceOptions {
  readonly seed: number;
  readonly blocks?: number;
  readonly blockBytes?: number;
  readonly threads?: number;
  readonly queueDepth?: number;
  readonly poolBlocks?: number;
  /** What the device writes, in bytes a second. */
  readonly rate?: number;
  /** The device answers nothing from here on, for so long. */
  readonly stall?: { readonly atSeconds: number; readonly seconds: number };
  readonly startedAt_ms?: number;
}

interface Column {
  start: number;
  end: number;
  copy: number;
  hash: number;
  thread: number;
  submitted: number;
  completed: number;
}

/** Plays a save through: threads that gather into a pool, a queue of bounded depth, a device that takes one at a time. */
export function makeTrace(options: TraceOptions): TraceRecord {
  const {
    seed,
    blocks = 256,
    blockBytes = 4 * MiB,
    threads = 2,
    queueDepth = 8,
    poolBlocks = 16,
    rate = 1.1e9,
  } = options;
  const { stall, startedAt_ms = Date.UTC(2026, 10, 21, 12) } = options;
  const random = randomOf(seed);
  const threadFree = new Array<number>(threads).fill(0.004);
  const done: Column[] = [];
  let deviceFree = 0;
  for (let index = 0; index < blocks; index++) {
    const thread = threadFree.indexOf(Math.min(...threadFree));
    const start = Math.max(threadFree[thread]!, done[index - poolBlocks]?.completed ?? 0);
    const copy = (blockBytes / 9e9) * (0.9 + 0.3 * random());
    const hash = (blockBytes / 14e9) * (0.9 + 0.2 * random());
    const end = start + copy + hash + 0.0001 * random();
    threadFree[thread] = end;
    const submitted = Math.max(end + 0.00002, done[index - queueDepth]?.completed ?? 0);
    const begins = Math.max(deviceFree, submitted);
    let completed = begins + (blockBytes / rate) * (0.75 + 0.5 * random());
    if (stall && begins < stall.atSeconds && completed >= stall.atSeconds) completed += stall.seconds;
    deviceFree = completed;
    done.push({ start, end, copy, hash, thread, submitted, completed });
  }
  const writtenSeconds = deviceFree + 0.0002;
  const half = Math.ceil(blocks / 2);
  return {
    startedAt_ms,
    files: ['model-00001-of-00001.safetensors', 'optimizer-00001-of-00001.safetensors'],
    file: done.map((_, index) => (index < half ? 0 : 1)),
    offset: done.map((_, index) => (index < half ? index : index - half) * blockBytes),
    bytes: done.map(() => blockBytes),
    thread: done.map(({ thread }) => thread),
    gatherStartSeconds: done.map(({ start }) => start),
    gatherEndSeconds: done.map(({ end }) => end),
    copySeconds: done.map(({ copy }) => copy),
    hashSeconds: done.map(({ hash }) => hash),
    queuedSeconds: done.map(({ end }) => end + 0.00001),
    submittedSeconds: done.map(({ submitted }) => submitted),
    completedSeconds: done.map(({ completed }) => completed),
    stagedSeconds: done.reduce((latest, { end }) => Math.max(latest, end), 0) + 0.001,
    writtenSeconds,
    durableSeconds: writtenSeconds + 0.02 + 0.02 * random(),
    publishedSeconds: writtenSeconds + 0.055 + 0.02 * random(),
  };
}
