/** Results as a run would leave them: figures that vary by a seed, and traces of a pipeline that was played through. */
import type { BenchResult, RankSample, Row, Sample } from '../../lib/bench/result.js';
import { makeMeaning } from './meaning_fixture.js';
import { makeTrace, randomOf } from './trace_fixture.js';

const MiB = 2 ** 20;
const GiB = 2 ** 30;

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
  {
    id: 'raw',
    kind: 'limit',
    phase: 'save',
    label: 'raw direct writes',
    how: 'io_uring, direct, 4 MiB, depth 16',
    rate: 2.3,
    cpuSecondsPerGiB: 0.05,
    writtenShare: 0.97,
  },
  {
    id: 'fio',
    kind: 'limit',
    phase: 'save',
    label: 'fio',
    how: 'fio-3.33, io_uring, direct, 4 MiB, depth 16',
    rate: 2.22,
    cpuSecondsPerGiB: 0.07,
  },
  {
    id: 'snapshard',
    kind: 'ours',
    phase: 'save',
    label: 'snapshard',
    how: 'io_uring, direct, 4 MiB, depth 16, 2 threads',
    rate: 2.21,
    cpuSecondsPerGiB: 0.25,
    pauseShare: 0.9,
    writtenShare: 0.96,
    peakBytes: 68 * MiB,
    traced: true,
  },
  {
    id: 'safetensors',
    kind: 'rival',
    phase: 'save',
    label: 'safetensors.save_file',
    how: 'safetensors 0.8.0, fsync',
    rate: 1.4,
    spread: 0.2,
    cpuSecondsPerGiB: 0.8,
    writtenShare: 0.6,
    peakBytes: 2.1 * GiB,
  },
  {
    id: 'torch.save',
    kind: 'rival',
    phase: 'save',
    label: 'torch.save',
    how: 'torch 2.13.0, fsync',
    rate: 0.62,
    spread: 0.3,
    cpuSecondsPerGiB: 1.4,
    writtenShare: 0.7,
    peakBytes: 0.3 * GiB,
  },
  {
    id: 'node-writefile',
    kind: 'rival',
    phase: 'save',
    label: 'fs.promises.writeFile',
    how: 'node v20.20.2, fsync',
    rate: 1.2,
    spread: 0.25,
    cpuSecondsPerGiB: 0.7,
    writtenShare: 0.55,
    peakBytes: 12 * MiB,
  },
  {
    id: 'dcp',
    kind: 'rival',
    phase: 'save',
    label: 'PyTorch DCP, 2 threads',
    how: 'torch 2.13.0, fsync',
    rate: 0.95,
    cpuSecondsPerGiB: 1.1,
    writtenShare: 0.8,
    peakBytes: 0.5 * GiB,
  },
];

const otherRows: readonly RowSpec[] = [
  {
    id: 'snapshard',
    kind: 'ours',
    phase: 'verify',
    label: 'snapshard',
    how: 'io_uring, direct',
    rate: 2.1,
    cpuSecondsPerGiB: 0.12,
    peakBytes: 66 * MiB,
  },
  {
    id: 'raw',
    kind: 'limit',
    phase: 'restore cold',
    label: 'raw direct reads',
    how: 'io_uring, direct, 4 MiB, depth 16',
    rate: 2.4,
    cpuSecondsPerGiB: 0.05,
  },
  {
    id: 'snapshard',
    kind: 'ours',
    phase: 'restore cold',
    label: 'snapshard',
    how: 'io_uring, direct',
    rate: 2.2,
    cpuSecondsPerGiB: 0.3,
    peakBytes: 70 * MiB,
    cachedShare: 0.0002,
  },
  {
    id: 'safetensors',
    kind: 'rival',
    phase: 'restore cold',
    label: 'safetensors.load_file',
    how: 'safetensors 0.8.0',
    rate: 1.1,
    cpuSecondsPerGiB: 0.6,
    peakBytes: 1.1 * GiB,
    cachedShare: 0,
  },
  {
    id: 'snapshard',
    kind: 'ours',
    phase: 'restore warm',
    label: 'snapshard',
    how: 'io_uring, direct',
    rate: 2.25,
    cpuSecondsPerGiB: 0.3,
    peakBytes: 70 * MiB,
    cachedShare: 1,
  },
  { id: 'memcpy', kind: 'limit', phase: 'copy', label: 'memcpy', how: '2 threads', rate: 21, cpuSecondsPerGiB: 0.09 },
];

const missingRow: Row = {
  id: 'orbax',
  kind: 'rival',
  phase: 'save',
  label: 'Orbax',
  how: '',
  missing: 'orbax-checkpoint is not installed: pip install orbax-checkpoint',
  samples: [],
};

function sampleOf(spec: RowSpec, round: number, bytes: number, ranks: number, random: () => number): Sample {
  const share = spec.spread ?? 0.05;
  const rate = spec.rate * 1e9 * (1 - share + 2 * share * random());
  const startedAt_ms = Date.UTC(2026, 10, 21, 12, round * 3, 0);
  const rankSamples = Array.from({ length: ranks }, (_, rank): RankSample => {
    const stall = round === 1 && rank === 0 ? { atSeconds: 0.4, seconds: 0.35 } : undefined;
    const options = { seed: round * 31 + rank, rate: rate / ranks, startedAt_ms: startedAt_ms + rank * 3 };
    const trace = spec.traced
      ? makeTrace({ ...options, blocks: Math.round(bytes / ranks / (4 * MiB)), ...(stall && { stall }) })
      : undefined;
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
  const most = (value: (rank: RankSample) => number | undefined): number =>
    Math.max(...rankSamples.map((rank) => value(rank) ?? 0));
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
  const samples = Array.from({ length: options.rounds }, (_, round) =>
    sampleOf(faster, round, bytes, options.ranks, random),
  );
  const { id, kind, phase, label, how } = spec;
  return { id, kind, phase, label, how, samples };
}

type Conditions = Pick<BenchResult, 'createdAt' | 'command' | 'versions' | 'machine' | 'target' | 'workload'>;

export function makeConditions(seed: number, ranks: number, bytes: number): Conditions {
  return {
    createdAt: '2026-11-21T12:20:00.000Z',
    command: ['snapshard', 'bench', '/mnt/nvme', '--ranks', String(ranks), '--bytes', '1GiB', '--repeat', '5'],
    versions: {
      snapshard: '0.1.0',
      node: 'v20.20.2',
      kernel: '6.18.0',
      torch: '2.13.0',
      safetensors: '0.8.0',
      fio: 'fio-3.33',
    },
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
    ...makeConditions(filled.seed, filled.ranks, filled.ranks * filled.bytesPerRank),
    settings: {
      repeat: filled.rounds,
      warmup: 1,
      restSeconds: 4,
      writer: { blockBytes: 4 * MiB, queueDepth: 16, threads: 2 },
    },
    rows: [...specs.map((spec, place) => rowOf(spec, filled, place)), missingRow],
    meaning: makeMeaning(),
    findings: [
      'The device limits this target: Snapshard writes 0.97 of what raw direct writes reach in the same round.',
      'Every second save stalls for 0.35 s once: the device pauses, not the file system; ask its vendor about write buffers.',
      'Save in the background every 10 minutes: 2.4 % of the time is lost then, against 5.7 % with blocking saves.',
    ],
  };
}
