import Table from 'cli-table3';
import type { WriterOptions } from 'snapshard';
import { fioMissing, runFio } from '../lib/bench/fio.js';
import type { Place } from '../lib/bench/place.js';
import { runTrial } from './run_trial.js';
import { formatSpread, spread } from '../lib/bench/statistics.js';
import { GiB, MiB } from './units.js';

type Point = Record<keyof Pick<WriterOptions, 'blockBytes' | 'queueDepth' | 'threads'>, number>;

/** Around the defaults, one axis at a time, and the corners that might surprise. */
export const points: readonly Point[] = [
  { blockBytes: MiB, queueDepth: 16, threads: 2 },
  { blockBytes: 2 * MiB, queueDepth: 16, threads: 2 },
  { blockBytes: 4 * MiB, queueDepth: 16, threads: 2 },
  { blockBytes: 8 * MiB, queueDepth: 16, threads: 2 },
  { blockBytes: 16 * MiB, queueDepth: 16, threads: 2 },
  { blockBytes: 4 * MiB, queueDepth: 4, threads: 2 },
  { blockBytes: 4 * MiB, queueDepth: 8, threads: 2 },
  { blockBytes: 4 * MiB, queueDepth: 32, threads: 2 },
  { blockBytes: 4 * MiB, queueDepth: 16, threads: 1 },
  { blockBytes: 4 * MiB, queueDepth: 16, threads: 4 },
  { blockBytes: MiB, queueDepth: 64, threads: 2 },
];

interface Measured {
  rates: number[];
  cpu: number[];
  ratios: number[];
}

/** Every point once, then all again: durable rate, its ratio to fio in the same round, and CPU. */
export async function benchSweep(pairs: number, bytes: number, place: Place, signal: AbortSignal): Promise<void> {
  const results = points.map((): Measured => ({ rates: [], cpu: [], ratios: [] }));
  for (let pair = 1; pair <= pairs; pair++) {
    const reference = fioMissing() ? undefined : await fioRate(place, bytes, signal);
    for (const [index, point] of points.entries()) {
      const { rate, cpu } = await measurePoint(point, place, bytes, signal);
      results[index]?.rates.push(rate);
      results[index]?.cpu.push(cpu);
      if (reference !== undefined) results[index]?.ratios.push(rate / reference);
      process.stderr.write(`${pair}/${pairs}  ${JSON.stringify(point)}  ${rate.toFixed(2)} GB/s\n`);
    }
  }
  process.stdout.write(`${table(results)}\n`);
}

function fioRate(place: Place, bytes: number, signal: AbortSignal): Promise<number> {
  return place.use('fio', async (folder, startAt_ms) => {
    return (await runFio(folder, bytes, startAt_ms, signal)).bytesPerSecond / 1e9;
  });
}

function measurePoint(writer: Point, place: Place, bytes: number, signal: AbortSignal) {
  return place.use('sweep', async (folder, startAt_ms) => {
    const trial = {
      folder,
      startAt_ms,
      tensors: 64,
      bytes,
      saves: 1,
      leases: false,
      inPlace: false,
      watchThread: false,
      writer,
    };
    const { saves } = await runTrial(trial, signal);
    const save = saves[0];
    if (!save) throw new Error('the trial saved nothing');
    return { rate: save.bytes / save.durableSeconds / 1e9, cpu: save.cpuSeconds / (save.bytes / GiB) };
  });
}

function table(results: readonly Measured[]): string {
  const output = new Table({
    head: ['block MiB', 'depth', 'threads', 'GB/s', 'min..max', 'over fio', 'CPU s/GiB'],
    colAligns: ['right', 'right', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  });
  points.forEach(({ blockBytes, queueDepth, threads }, index) => {
    const { rates = [], cpu = [], ratios = [] } = results[index] ?? {};
    const [rate, range] = formatSpread(spread(rates), 2);
    const [ratio] = formatSpread(spread(ratios), 2);
    const [seconds] = formatSpread(spread(cpu), 3);
    output.push([blockBytes / MiB, queueDepth, threads, rate, range, ratio, seconds]);
  });
  return output.toString();
}
