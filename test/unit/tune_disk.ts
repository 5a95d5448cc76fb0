/** A disk that is not there: how fast it is with which options, and how noisy. The same seed gives the same noise. */
import { search, type SearchResult, type SearchSettings, type TuneTrial } from '../../lib/bench/tune_search.js';
import type { Axis, TuneSample, Writer } from '../../lib/bench/tune_points.js';

const MiB = 2 ** 20;

export interface Disk {
  /** Bytes per second, where 1 is the usual. */
  rate: (writer: Writer) => number;
  /** Processor seconds per save; default 1. */
  cpu?: (writer: Writer) => number;
  /** Seconds; default 0.1. */
  pause?: (writer: Writer) => number;
  /** Standard deviation of the logarithm of one trial. */
  noise: number;
  /** Times by which each trial is slower than the one before; default 1. */
  drift?: number;
  /** One of so many trials takes five times as long; default none. */
  stallOneOf?: number;
}

export const blocks: Axis = {
  name: 'blockBytes',
  candidates: [1, 2, 4, 8, 16, 32, 64].map((size) => ({
    label: `${size} MiB`,
    change: { blockBytes: size === 4 ? undefined : size * MiB },
  })),
};
export const depths: Axis = {
  name: 'queueDepth',
  candidates: [2, 4, 8, 16, 32, 64].map((depth) => ({
    label: `${depth}`,
    change: { queueDepth: depth === 16 ? undefined : depth },
  })),
};
export const threads: Axis = {
  name: 'threads',
  candidates: [1, 2, 4].map((count) => ({ label: `${count}`, change: { threads: count === 2 ? undefined : count } })),
};
export const ways: Axis = {
  name: 'engine',
  candidates: [
    { label: 'io_uring', change: { engine: undefined, direct: undefined } },
    { label: 'pwrite', change: { engine: 'pwrite', direct: undefined } },
    { label: 'page cache', change: { engine: undefined, direct: false } },
  ],
};

/** Numbers from 0 to 1, neither included. */
export function random(seed: number): () => number {
  let state = BigInt(seed + 1);
  return () => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    return (Number(state >> 11n) + 0.5) / 2 ** 53;
  };
}

function measurer(disk: Disk, seed: number): (trial: TuneTrial) => Promise<Omit<TuneSample, 'round'>> {
  const next = random(seed);
  const normal = (): number => Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next());
  let slower = 1;
  return ({ point: { writer } }) => {
    slower *= disk.drift ?? 1;
    const stall = disk.stallOneOf !== undefined && next() < 1 / disk.stallOneOf ? 5 : 1;
    const seconds = (stall * slower * Math.exp(disk.noise * normal())) / disk.rate(writer);
    const cpuSeconds = (disk.cpu?.(writer) ?? 1) * Math.exp(0.02 * normal());
    const pauseSeconds = (disk.pause?.(writer) ?? 0.1) * Math.exp(0.05 * normal());
    return Promise.resolve({ bytes: 2 ** 30, seconds, cpuSeconds, pauseSeconds });
  };
}

export function tuneDisk(disk: Disk, seed: number, settings: Partial<SearchSettings> = {}): Promise<SearchResult> {
  return search({
    axes: [ways, blocks, depths, threads],
    repeat: 5,
    seed,
    limitSeconds: Infinity,
    now_ms: () => 0,
    measure: measurer(disk, seed),
    ...settings,
  });
}
