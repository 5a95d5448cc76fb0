/** Results as a run would leave them: figures that vary by a seed, and traces of a pipeline that was played through. */
import type { BenchResult, Meaning, RankSample, Row, Sample, TraceRecord, TuneResult } from '../../lib/bench/result.js';

const MiB = 2 ** 20;
const GiB = 2 ** 30;

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
  const { seed, blocks = 256, blockBytes = 4 * MiB, threads = 2, queueDepth = 8, poolBlocks = 16, rate = 1.1e9 } = options;
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
    stagedSeconds: Math.max(...done.map(({ end }) => end)) + 0.001,
    writtenSeconds,
    durableSeconds: writtenSeconds + 0.02 + 0.02 * random(),
    publishedSeconds: writtenSeconds + 0.055 + 0.02 * random(),
  };
}

interface RowSpec extends Pick<Row, 'id' | 'kind' | 'phase' | 'label' | 'how'> {
  /** 10^9 bytes a second, of all ranks. */
  readonly rate: number;
  readonly spread?: number;
  readonly cpuSecondsPerGiB: number;
  readonly pauseShare?: number;
  readonly writtenShare?: number;
  readonly peakBytes?: number;
  readonly cachedShare?: number;
  readonly traced?: true;
}

export interface BenchOptions {
  readonly seed?: number;
  readonly rounds?: number;
  readonly ranks?: number;
  readonly bytesPerRank?: number;
  /** All rates of ours times this. */
  readonly speed?: number;
}

const saveRows: readonly RowSpec[] = [
  { id: 'raw', kind: 'limit', phase: 'save', label: 'raw direct writes', how: 'io_uring, direct, 4 MiB, depth 16', rate: 2.3, cpuSecondsPerGiB: 0.05, writtenShare: 0.97 },
  { id: 'fio', kind: 'limit', phase: 'save', label: 'fio', how: 'fio-3.33, io_uring, direct, 4 MiB, depth 16', rate: 2.22, cpuSecondsPerGiB: 0.07 },
  { id: 'snapshard', kind: 'ours', phase: 'save', label: 'snapshard', how: 'io_uring, direct, 4 MiB, depth 16, 2 threads', rate: 2.21, cpuSecondsPerGiB: 0.25, pauseShare: 0.9, writtenShare: 0.96, peakBytes: 68 * MiB, traced: true },
  { id: 'safetensors', kind: 'rival', phase: 'save', label: 'safetensors.save_file', how: 'safetensors 0.8.0, fsync', rate: 1.4, spread: 0.2, cpuSecondsPerGiB: 0.8, writtenShare: 0.6, peakBytes: 2.1 * GiB },
  { id: 'torch.save', kind: 'rival', phase: 'save', label: 'torch.save', how: 'torch 2.13.0, fsync', rate: 0.62, spread: 0.3, cpuSecondsPerGiB: 1.4, writtenShare: 0.7, peakBytes: 0.3 * GiB },
  { id: 'node-writefile', kind: 'rival', phase: 'save', label: 'fs.promises.writeFile', how: 'node v20.20.2, fsync', rate: 1.2, spread: 0.25, cpuSecondsPerGiB: 0.7, writtenShare: 0.55, peakBytes: 12 * MiB },
  { id: 'dcp', kind: 'rival', phase: 'save', label: 'PyTorch DCP, 2 threads', how: 'torch 2.13.0, fsync', rate: 0.95, cpuSecondsPerGiB: 1.1, writtenShare: 0.8, peakBytes: 0.5 * GiB },
];

const otherRows: readonly RowSpec[] = [
  { id: 'snapshard', kind: 'ours', phase: 'verify', label: 'snapshard', how: 'io_uring, direct', rate: 2.1, cpuSecondsPerGiB: 0.12, peakBytes: 66 * MiB },
  { id: 'raw', kind: 'limit', phase: 'restore cold', label: 'raw direct reads', how: 'io_uring, direct, 4 MiB, depth 16', rate: 2.4, cpuSecondsPerGiB: 0.05 },
  { id: 'snapshard', kind: 'ours', phase: 'restore cold', label: 'snapshard', how: 'io_uring, direct', rate: 2.2, cpuSecondsPerGiB: 0.3, peakBytes: 70 * MiB, cachedShare: 0.0002 },
  { id: 'safetensors', kind: 'rival', phase: 'restore cold', label: 'safetensors.load_file', how: 'safetensors 0.8.0', rate: 1.1, cpuSecondsPerGiB: 0.6, peakBytes: 1.1 * GiB, cachedShare: 0 },
  { id: 'snapshard', kind: 'ours', phase: 'restore warm', label: 'snapshard', how: 'io_uring, direct', rate: 2.25, cpuSecondsPerGiB: 0.3, peakBytes: 70 * MiB, cachedShare: 1 },
  { id: 'memcpy', kind: 'limit', phase: 'copy', label: 'memcpy', how: '2 threads', rate: 21, cpuSecondsPerGiB: 0.09 },
];

const missingRow: Row = { id: 'orbax', kind: 'rival', phase: 'save', label: 'Orbax', how: '', missing: 'orbax-checkpoint is not installed: pip install orbax-checkpoint', samples: [] };

function sampleOf(spec: RowSpec, round: number, bytes: number, ranks: number, random: () => number): Sample {
  const share = spec.spread ?? 0.05;
  const rate = spec.rate * 1e9 * (1 - share + 2 * share * random());
  const startedAt_ms = Date.UTC(2026, 10, 21, 12, round * 3, 0);
  const rankSamples = Array.from({ length: ranks }, (_, rank): RankSample => {
    const stall = round === 1 && rank === 0 ? { atSeconds: 0.4, seconds: 0.35 } : undefined;
    const options = { seed: round * 31 + rank, rate: rate / ranks, startedAt_ms: startedAt_ms + rank * 3 };
    const trace = spec.traced ? makeTrace({ ...options, blocks: Math.round(bytes / ranks / (4 * MiB)), ...(stall && { stall }) }) : undefined;
    const seconds = trace?.publishedSeconds ?? (bytes / rate) * (1 - 0.04 * random());
    return {
      bytes: bytes / ranks,
      seconds,
      cpuSeconds: (spec.cpuSecondsPerGiB * (0.95 + 0.1 * random()) * bytes) / ranks / GiB,
      ...(spec.writtenShare !== undefined && { writtenSeconds: trace?.writtenSeconds ?? seconds * spec.writtenShare }),
      ...(spec.pauseShare !== undefined && { pauseSeconds: trace?.stagedSeconds ?? seconds * spec.pauseShare }),
      ...(spec.peakBytes !== undefined && { peakBytes: Math.round(spec.peakBytes * (0.98 + 0.04 * random())) }),
      ...(trace && { trace }),
    };
  });
  const most = (value: (rank: RankSample) => number | undefined): number => Math.max(...rankSamples.map((rank) => value(rank) ?? 0));
  return {
    round,
    startedAt: new Date(startedAt_ms).toISOString(),
    bytes,
    seconds: most(({ seconds }) => seconds),
    cpuSeconds: rankSamples.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
    ...(spec.writtenShare !== undefined && { writtenSeconds: most(({ writtenSeconds }) => writtenSeconds) }),
    ...(spec.pauseShare !== undefined && { pauseSeconds: most(({ pauseSeconds }) => pauseSeconds) }),
    ...(spec.peakBytes !== undefined && { peakBytes: most(({ peakBytes }) => peakBytes) }),
    ...(spec.cachedShare !== undefined && { cachedBytes: Math.round(bytes * spec.cachedShare) }),
    ranks: rankSamples,
  };
}

function rowOf(spec: RowSpec, options: Required<BenchOptions>, place: number): Row {
  const random = randomOf(options.seed * 1009 + place);
  const faster = { ...spec, rate: spec.kind === 'ours' ? spec.rate * options.speed : spec.rate };
  const bytes = options.bytesPerRank * options.ranks;
  const samples = Array.from({ length: options.rounds }, (_, round) => sampleOf(faster, round, bytes, options.ranks, random));
  const { id, kind, phase, label, how } = spec;
  return { id, kind, phase, label, how, samples };
}

export function makeMeaning(): Meaning {
  const meanTimeBetweenFailuresSeconds = 8 * 3600;
  const lossOf = (way: 'blocking' | 'background', pauseSeconds: number, saveSeconds: number) => {
    const lost = (interval: number): number =>
      Math.min(1, pauseSeconds / interval + (interval / 2 + saveSeconds + 60) / meanTimeBetweenFailuresSeconds);
    const intervals = Array.from({ length: 25 }, (_, index) => 30 * 10 ** (index / 10));
    const best = Math.sqrt(2 * pauseSeconds * meanTimeBetweenFailuresSeconds);
    return { way, pauseSeconds, bestIntervalSeconds: best, lostShare: lost(best), points: intervals.map((intervalSeconds) => ({ intervalSeconds, lostShare: lost(intervalSeconds) })) };
  };
  return {
    stateBytes: 112 * GiB,
    ranks: 8,
    stepSeconds: 2.4,
    meanTimeBetweenFailuresSeconds,
    saveSeconds: 54,
    restoreSeconds: 60,
    losses: [lossOf('blocking', 54, 54), lossOf('background', 6.5, 54)],
  };
}

function conditions(seed: number, ranks: number, bytes: number) {
  return {
    createdAt: '2026-11-21T12:20:00.000Z',
    command: ['snapshard', 'bench', '/mnt/nvme', '--ranks', String(ranks), '--bytes', '1GiB', '--repeat', '5'],
    versions: { snapshard: '0.1.0', node: 'v20.20.2', kernel: '6.18.0', torch: '2.13.0', safetensors: '0.8.0', fio: 'fio-3.33' },
    machine: { cpu: 'AMD EPYC 9B14', cores: 2, memoryBytes: 24 * GiB, kernel: '6.18.0' },
    target: {
      path: '/mnt/nvme/runs',
      fileSystem: 'ext4',
      source: '/dev/nvme0n1p1',
      mountOptions: ['rw', 'relatime', 'discard', 'errors=remount-ro'],
      device: 'nvme0n1, SAMSUNG MZQL23T8HCLS-00A07',
      totalBytes: 3.8e12,
      freeBytes: 2.1e12,
      remarks: ['The file system lies on one device: what the others on it do shows in these figures.'],
    },
    workload: {
      label: 'MLPerf Llama 3 8B, ranks 0 and 1 of 8, cut to 1 GiB a rank',
      seed,
      ranks,
      bytes,
      tensors: 388,
      mix: [
        { group: 'model', dtype: 'BF16', tensors: 194, bytes: Math.round(bytes * 0.14) },
        { group: 'optimizer', dtype: 'F32', tensors: 194, bytes: bytes - Math.round(bytes * 0.14) },
      ],
    },
  };
}

/** Several rows of each kind, `rounds` repeats, `ranks` ranks, traces of all saves of ours, with a stall in round 1. */
export function makeBench(options: BenchOptions = {}): BenchResult {
  const filled = { seed: 7, rounds: 5, ranks: 2, bytesPerRank: GiB, speed: 1, ...options };
  const specs = [...saveRows, ...otherRows];
  return {
    format: 'snapshard-bench-1',
    ...conditions(filled.seed, filled.ranks, filled.ranks * filled.bytesPerRank),
    settings: { repeat: filled.rounds, warmup: 1, restSeconds: 4, writer: { blockBytes: 4 * MiB, queueDepth: 16, threads: 2 } },
    rows: [...specs.map((spec, place) => rowOf(spec, filled, place)), missingRow],
    meaning: makeMeaning(),
    findings: [
      'The device limits this target: Snapshard writes 0.97 of what raw direct writes reach in the same round.',
      'Every second save stalls for 0.35 s once: the device pauses, not the file system; ask its vendor about write buffers.',
      'Save in the background every 10 minutes: 2.4 % of the time is lost then, against 5.7 % with blocking saves.',
    ],
  };
}

const sweep: readonly (readonly [axis: string, label: string, writer: Record<string, unknown>, rate: number])[] = [
  ...([1, 2, 4, 8, 16, 32] as const).map((block, index) => ['blockBytes', `${block} MiB`, { blockBytes: block * MiB }, [1.5, 1.9, 2.2, 2.25, 2.24, 2.1][index]!] as const),
  ...([1, 4, 8, 16, 32] as const).map((depth, index) => ['queueDepth', String(depth), { blockBytes: 8 * MiB, queueDepth: depth }, [1.2, 2.0, 2.2, 2.27, 2.26][index]!] as const),
  ...([1, 2, 4] as const).map((threads, index) => ['threads', String(threads), { blockBytes: 8 * MiB, queueDepth: 16, threads }, [2.1, 2.28, 2.2][index]!] as const),
  ...(['io_uring', 'pwrite'] as const).map((engine, index) => ['engine', engine, { blockBytes: 8 * MiB, queueDepth: 16, threads: 2, engine }, [2.28, 2.2][index]!] as const),
];

export function makeTune(seed = 11): TuneResult {
  const random = randomOf(seed);
  return {
    format: 'snapshard-tune-1',
    ...conditions(seed, 1, 2 * GiB),
    settings: { repeat: 3, restSeconds: 4 },
    points: sweep.map(([axis, label, writer, rate]) => ({
      axis,
      label,
      writer,
      samples: Array.from({ length: 3 }, (_, round) => ({
        round,
        bytes: 2 * GiB,
        seconds: (2 * GiB) / (rate * 1e9 * (0.95 + 0.1 * random())),
        cpuSeconds: 0.5 * (0.9 + 0.2 * random()),
      })),
    })),
    chosen: { blockBytes: 8 * MiB, queueDepth: 16, threads: 2, engine: 'io_uring' },
    findings: ['From 4 MiB a block on, and 8 in flight, this target gains nothing more.', 'Two threads suffice.', 'The defaults reach 0.98 of the best.'],
  };
}
