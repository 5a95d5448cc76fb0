import { buildPlan } from '../lib/layout/plan.js';
import { normalizeTensors } from '../lib/tensor/normalize.js';
import { describeConditions } from './conditions.js';
import type { Place } from '../lib/bench/place.js';
import { rowTable, type RowReport } from './report.js';
import { verdict, type Limits } from './rows.js';
import { runRanks, type RanksSave, type RanksTrial } from './run_ranks.js';
import { spread } from '../lib/bench/statistics.js';
import { formatBytes, MiB } from './units.js';
import { llamaModels, llamaTensors } from '../lib/bench/llama.js';

interface Figure extends Limits {
  label: string;
  unit: string;
}

const latencySaves = 8;
const figures = {
  rate: { label: '4 processes, durable, over 1', unit: 'x', digits: 2, bar: 0.95, aim: 1, better: 'higher' },
  written: { label: 'replicas on 4 ranks: written, over state', unit: 'x', digits: 3, bar: 1.01, aim: 1, better: 'lower' },
  balance: { label: 'Llama 3 8B on 8 replicas: largest over mean', unit: 'x', digits: 3, bar: 1.05, aim: 1.01, better: 'lower' },
  publish: { label: '8 ranks: last durable to all resolved', unit: 'ms', digits: 1, bar: 200, aim: 30, better: 'lower' },
} satisfies Record<string, Figure>;

/** Several processes that save one checkpoint, against one process that saves as much. */
export async function benchRanks(
  options: { dir: string; pairs: number; bytes: number },
  place: Place,
  signal: AbortSignal,
): Promise<void> {
  const { pairs, bytes } = options;
  const rates: number[] = [];
  const written: number[] = [];
  const publish: number[] = [];
  const run = (name: string, trial: Partial<RanksTrial>): Promise<RanksSave[]> =>
    place.use(name, (folder, startAt_ms) => runRanks({ ...defaults, bytes, ...trial }, folder, startAt_ms, signal));
  for (let pair = 1; pair <= pairs; pair++) {
    const [one] = await run('one', { worldSize: 1 });
    const [four] = await run('four', { worldSize: 4, bytes: bytes / 4, stagingBytes: 256 * MiB });
    const [shared] = await run('replicas', { worldSize: 4, bytes: bytes / 4, replicated: true, stagingBytes: 256 * MiB });
    const eight = await run('eight', { worldSize: 8, bytes: 32 * MiB, saves: latencySaves, stagingBytes: 64 * MiB });
    rates.push(rateOf(four!) / rateOf(one!));
    written.push(shared!.bytes / (bytes / 4));
    // The first save of a process pays for what the others have in hand.
    publish.push(...eight.slice(1).map(({ publish_ms }) => publish_ms));
    const latest = publish.slice(-latencySaves + 1).map((value) => value.toFixed(0));
    process.stderr.write(
      `${pair}/${pairs}  1 process ${rateText(one!)}, 4 processes ${rateText(four!)}, publishing ${latest.join(' ')} ms\n`,
    );
  }
  const measured = { rate: rates, written, balance: [imbalance(8)], publish };
  process.stdout.write(`${rowTable(reports(measured))}\n${await machineText(options.dir, bytes, pairs)}\n`);
}

const defaults: Omit<RanksTrial, 'worldSize' | 'bytes'> & { worldSize: number } = {
  worldSize: 1,
  tensors: 64,
  replicated: false,
  saves: 1,
  stagingBytes: 1024 * MiB,
};

const rateOf = ({ bytes, seconds }: RanksSave): number => bytes / seconds;
const rateText = (save: RanksSave): string => `${(rateOf(save) / 1e9).toFixed(2)} GB/s`;

/** Bytes of the rank that writes most over the mean, where all of Llama 3 8B is on every rank. */
function imbalance(worldSize: number): number {
  const shapes = llamaTensors(llamaModels['8B']);
  const sizes = Array.from({ length: worldSize }, (_, rank) => {
    const entries = shapes.map(({ name, dtype, shape, bytes }) => {
      const parts = Array.from({ length: Math.ceil(bytes / page.byteLength) }, (_, index) =>
        page.subarray(0, Math.min(page.byteLength, bytes - index * page.byteLength)),
      );
      return [name, { dtype, shape, data: parts, replicas: 'all' }] as const;
    });
    const { specs } = normalizeTensors(new Map(entries), () => undefined, [], { rank, worldSize });
    return buildPlan(specs, { shardBytes: Infinity, rank, worldSize }).bytes;
  });
  return Math.max(...sizes) / (sizes.reduce((sum, size) => sum + size, 0) / worldSize);
}

const page = new Uint8Array(256 * MiB);

function reports(measured: Record<keyof typeof figures, number[]>): RowReport[] {
  return Object.entries(figures).map(([id, figure]) => {
    const values = spread(measured[id as keyof typeof figures]);
    const reached = values === undefined ? '' : verdict(figure, values.median);
    return { id, ...figure, measured: values, verdict: reached, skipped: '' };
  });
}

async function machineText(directory: string, bytes: number, pairs: number): Promise<string> {
  const { cpu, cores, memory, kernel, node, fileSystem } = await describeConditions(directory);
  return [
    `${formatBytes(bytes)} in all, ${pairs} pairs; ${cpu}, ${cores} cores, ${memory}`,
    `Linux ${kernel}, ${fileSystem}, Node ${node}`,
  ].join('\n');
}
