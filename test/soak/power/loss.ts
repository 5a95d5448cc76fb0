import { pick } from './program.js';
import type { DiskRecord, DiskWrite } from './recording.js';

/** A moment at which the power goes, and what the disk keeps of what was not durable. */
export interface PowerLoss {
  /** That many records had come. */
  readonly crash: number;
  readonly keep: Keep;
}

/**
 * `all` and `none` of the writes; `some`, `most` or `few` by chance; the `later` half and not the earlier; all but
 * `one`; `torn`: of each write other sectors than of its neighbour.
 */
export type Keep = (typeof keeps)[number];

const keeps = ['none', 'some', 'most', 'few', 'later', 'one', 'torn', 'all'] as const;

/** What is in a disk's cache when the power goes. */
export interface Cached {
  /** Records before it are durable: a flush began after they had completed, and it has ended. */
  readonly durable: number;
  readonly writes: readonly DiskWrite[];
}

export function cachedAt(records: readonly DiskRecord[], crash: number): Cached {
  const flush = records.findLastIndex((record, at) => at < crash && record.kind === 'flush');
  const durable = flush + 1;
  const isAsked = (record: DiskRecord): record is DiskWrite => record.kind === 'write' && record.asked <= crash;
  return { durable, writes: records.slice(durable).filter(isAsked) };
}

const boundaryShare = 3 / 4;

/**
 * Moments spread over the recording, in order: flush boundaries, all of them if there is room, and others.
 * @param begin none before this record
 */
export function powerLosses(
  random: () => number,
  records: readonly DiskRecord[],
  begin: number,
  count: number,
): PowerLoss[] {
  const flushes = records.flatMap((record, at) => (record.kind === 'flush' && at > begin ? [at] : []));
  const boundaries: number[] = [];
  while (flushes.length > 0 && boundaries.length < count * boundaryShare) {
    boundaries.push(...flushes.splice(Math.floor(random() * flushes.length), 1));
  }
  const others = Array.from({ length: count - boundaries.length }, () => {
    return begin + 1 + Math.floor(random() * (records.length - begin));
  });
  return [...boundaries, ...others]
    .sort((left, right) => left - right)
    .map((crash) => ({ crash, keep: pick(random, keeps) }));
}

/** A stretch of a write. */
export interface Piece {
  readonly offset: number;
  readonly data: Uint8Array;
}

function torn(random: () => number, { offset, data }: DiskWrite, sectorBytes: number): Piece[] {
  const share = random();
  const pieces: Piece[] = [];
  // A power loss seldom leaves every other sector of a large write: stretches as well as single ones.
  const stretch = sectorBytes * pick(random, [1, 1, 8, 64]);
  for (let at = 0; at < data.length; at += stretch) {
    if (random() < share) pieces.push({ offset: offset + at, data: data.subarray(at, at + stretch) });
  }
  return pieces;
}

/** What survives, in the order in which it was written. */
export function survivors(
  random: () => number,
  keep: Keep,
  writes: readonly DiskWrite[],
  sectorBytes: number,
): readonly Piece[] {
  const one = Math.floor(random() * writes.length);
  const byChance = (share: number): DiskWrite[] => writes.filter(() => random() < share);
  if (keep === 'none') return [];
  if (keep === 'some') return byChance(0.5);
  if (keep === 'most') return byChance(0.9);
  if (keep === 'few') return byChance(0.1);
  if (keep === 'later') return writes.slice(one);
  if (keep === 'one') return writes.filter((_, index) => index !== one);
  if (keep === 'torn') return writes.flatMap((write) => torn(random, write, sectorBytes));
  return writes;
}
