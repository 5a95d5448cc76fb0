/** A sweep as a run would leave it. */
import type { TuneResult } from '../../lib/bench/result.js';
import { makeConditions } from './bench_fixture.js';
import { randomOf } from './trace_fixture.js';

const MiB = 2 ** 20;
const GiB = 2 ** 30;

const sweep: readonly (readonly [axis: string, label: string, writer: Record<string, unknown>, rate: number])[] = [
  ...([1, 2, 4, 8, 16, 32] as const).map(
    (block, index) =>
      ['blockBytes', `${block} MiB`, { blockBytes: block * MiB }, [1.5, 1.9, 2.2, 2.25, 2.24, 2.1][index]!] as const,
  ),
  ...([1, 4, 8, 16, 32] as const).map(
    (depth, index) =>
      [
        'queueDepth',
        String(depth),
        { blockBytes: 8 * MiB, queueDepth: depth },
        [1.2, 2.0, 2.2, 2.27, 2.26][index]!,
      ] as const,
  ),
  ...([1, 2, 4] as const).map(
    (threads, index) =>
      ['threads', String(threads), { blockBytes: 8 * MiB, queueDepth: 16, threads }, [2.1, 2.28, 2.2][index]!] as const,
  ),
  ...(['io_uring', 'pwrite'] as const).map(
    (engine, index) =>
      ['engine', engine, { blockBytes: 8 * MiB, queueDepth: 16, threads: 2, engine }, [2.28, 2.2][index]!] as const,
  ),
];

export function makeTune(seed = 11): TuneResult {
  const random = randomOf(seed);
  return {
    format: 'snapshard-tune-1',
    ...makeConditions(seed, 1, 2 * GiB),
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
    findings: [
      'From 4 MiB a block on, and 8 in flight, this target gains nothing more.',
      'Two threads suffice.',
      'The defaults reach 0.98 of the best.',
    ],
  };
}
