/** Which values are tried. */
import { sizeIn } from '../cli/text.js';
import { performanceDefaults, type PerformanceOptions } from '../options/performance.js';
import type { Axis, Candidate } from './tune_points.js';

const MiB = 2 ** 20;

/** In the order in which they are searched: what changes the meaning of the others comes first. */
export const axisNames = ['engine', 'blockBytes', 'queueDepth', 'threads', 'shardBytes'] as const;
export type AxisName = (typeof axisNames)[number];

export interface Space {
  readonly stagingBytes: number;
  readonly cores: number;
  /** Of the largest rank, and of its largest tensor. */
  readonly rankBytes: number;
  readonly tensorBytes: number;
  /** What a save with the defaults did. */
  readonly engine: 'io_uring' | 'pwrite';
  readonly direct: boolean;
}

const blockSizes = [1, 2, 4, 8, 16, 32, 64].map((size) => size * MiB);
const queueDepths = [2, 4, 8, 16, 32, 64];
const threadCounts = [1, 2, 4, 8, 16];
/** Into how many files, about, a rank's bytes are cut. */
const fileCounts = [4, 16];
/** So many blocks make a workload that tells something about their size. */
const blocksMin = 4;

/** Axes with more than one value here. What is as by default is given as `undefined`. */
export function axesOf(names: readonly AxisName[], space: Space): Axis[] {
  const made = axisNames.filter((name) => names.includes(name)).map((name) => ({ name, candidates: candidatesOf[name](space) }));
  return made.filter(({ candidates }) => candidates.length > 1);
}

const candidatesOf: Readonly<Record<AxisName, (space: Space) => Candidate[]>> = {
  engine: ways,
  blockBytes: ({ stagingBytes, rankBytes }) => {
    const fits = (size: number): boolean => 2 * size <= stagingBytes && blocksMin * size <= rankBytes;
    return numbers('blockBytes', blockSizes.filter((size) => size === performanceDefaults.blockBytes || fits(size)), sizeText);
  },
  queueDepth: () => numbers('queueDepth', queueDepths, String),
  threads: ({ cores }) => numbers('threads', threadCounts.filter((count) => count <= Math.max(performanceDefaults.threads, cores)), String),
  shardBytes: files,
};

/** Ways to write that differ from what the defaults come to. What goes through the page cache is written by threads. */
function ways({ engine, direct }: Space): Candidate[] {
  const own: Candidate = { label: direct ? `${engine}, direct` : 'page cache', change: { engine: undefined, direct: undefined } };
  const plain: Candidate = { label: 'pwrite, direct', change: { engine: 'pwrite', direct: undefined } };
  const cached: Candidate = { label: 'page cache', change: { engine: undefined, direct: false } };
  return [own, ...(direct && engine === 'io_uring' ? [plain] : []), ...(direct ? [cached] : [])];
}

function numbers(
  name: 'blockBytes' | 'queueDepth' | 'threads',
  values: readonly number[],
  labelOf: (value: number) => string,
): Candidate[] {
  return values.map((value) => {
    return { label: labelOf(value), change: { [name]: value === performanceDefaults[name] ? undefined : value } };
  });
}

/** A tensor is never divided: files cannot be smaller than the largest. */
function files({ rankBytes, tensorBytes }: Space): Candidate[] {
  const sizes = fileCounts.map((count) => Math.ceil(Math.max(rankBytes / count, tensorBytes) / MiB) * MiB);
  const possible = [...new Set(sizes)].filter((size) => 2 * size <= rankBytes);
  const whole: Candidate = { label: 'one file a group', change: { shardBytes: undefined } };
  return [whole, ...possible.map((shardBytes) => ({ label: `files of ${sizeText(shardBytes)}`, change: { shardBytes } }))];
}

/** `4 MiB`: whole numbers of them. */
function sizeText(bytes: number): string {
  return sizeIn(bytes).replace('.00', '');
}

/** As a line of code: `{ blockBytes: 16777216 }`. */
export function writerCode(writer: Partial<PerformanceOptions>): string {
  const entries = Object.entries(writer).map(([name, value]) => {
    return `${name}: ${typeof value === 'string' ? `'${value}'` : String(value)}`;
  });
  return `{ ${entries.join(', ')} }`;
}
