import { Command, InvalidArgumentError } from 'commander';
import { benchChart } from './chart.js';
import { benchCuda, requireGpu, type CudaOptions } from './cuda.js';
import { cudaRowIds } from './cuda_rows.js';
import { benchMicro } from './micro.js';
import { makePlace, type Place, type Room } from '../lib/bench/place.js';
import { benchRankCheck, rankManifestBytes } from './rank_check.js';
import { benchRanks } from './ranks.js';
import { benchRestore } from './restore.js';
import { restoreRowIds } from './restore_rows.js';
import { manyBytes } from './restore_trials.js';
import { rowIds } from './rows.js';
import { benchSave } from './save.js';
import { GiB, parseBytes, parseCount } from './units.js';

interface Options {
  dir: string;
  pairs: number;
  bytes: number;
  rest: number;
  rows: string[];
  json?: string;
}

function parsed<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
    }
  };
}

function parseRows(known: readonly string[]): (text: string) => string[] {
  return (text) => {
    const ids = text.split(',');
    const unknown = ids.find((id) => !known.includes(id));
    if (unknown !== undefined) throw new RangeError(`Expected some of ${known.join(',')} but received ${unknown}`);
    return ids;
  };
}

const parseCounts = (text: string): number[] => text.split(',').map(parseCount);

/** Two checkpoints lie on the disk at once; in memory the sources of one, a pool, and Node itself. */
function roomNeeded(bytes: number): Room {
  const largest = Math.max(bytes, GiB);
  return { outputBytes: 2 * largest, memoryBytes: largest + 2 * GiB };
}

type InPlace = (place: Place, signal: AbortSignal) => Promise<void>;

function inPlace(options: Options, run: InPlace): Promise<void> {
  return runInPlace(makePlace(options.dir, roomNeeded(options.bytes), options.rest), run);
}

/** Runs in a folder of its own, which goes at the end, also when it fails or is interrupted. */
async function runInPlace(place: Place, run: InPlace): Promise<void> {
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      interrupt.abort(new Error(`interrupted by ${name}`));
    });
  }
  try {
    await run(place, interrupt.signal);
  } finally {
    const left = place.remove();
    if (left !== undefined) process.stderr.write(`${left}\n`);
  }
}

const restText = 'how long the device rests before each trial writes';

const program = new Command('bench').description(
  'Measures Snapshard against the best that fio gets from the same folder.',
);

program
  .command('save')
  .description('the figures to reach, each measured in pairs that alternate')
  .requiredOption('--dir <directory>', 'where to write; a folder of its own is made in it, and removed')
  .option('--pairs <count>', 'how often each trial runs', parsed(parseCount), 5)
  .option('--bytes <size>', 'size of one checkpoint', parsed(parseBytes), 4 * GiB)
  .option('--rest <seconds>', restText, parsed(parseCount), 8)
  .option('--rows <ids>', `some of ${rowIds.join(',')}`, parsed(parseRows(rowIds)), rowIds)
  .option('--json <file>', 'writes the report as JSON; - is standard output, instead of the tables')
  .action((options: Options) => inPlace(options, (place, signal) => benchSave(options, place, signal)));

program
  .command('restore')
  .description('the figures to reach when reading, each measured in pairs that alternate')
  .requiredOption('--dir <directory>', 'where the checkpoints to read go; a folder of its own is made in it, and removed')
  .option('--pairs <count>', 'how often each trial runs', parsed(parseCount), 5)
  .option('--bytes <size>', 'size of the checkpoint', parsed(parseBytes), 4 * GiB)
  .option('--rest <seconds>', 'how long the device rests before each trial reads', parsed(parseCount), 3)
  .option('--rows <ids>', `some of ${restoreRowIds.join(',')}`, parsed(parseRows(restoreRowIds)), restoreRowIds)
  .option('--json <file>', 'writes the report as JSON; - is standard output, instead of the tables')
  .action((options: Options) => {
    const room = { outputBytes: options.bytes + manyBytes, memoryBytes: options.bytes + 2 * GiB };
    const place = makePlace(options.dir, room, options.rest);
    return runInPlace(place, (there, signal) => benchRestore(options, there, signal));
  });

program
  .command('cuda')
  .description('saves from the memory of a GPU, against plain copies, the same from the host, and what PyTorch has')
  .requiredOption('--dir <directory>', 'where to write; a folder of its own is made in it, and removed')
  .option('--pairs <count>', 'how often each trial runs', parsed(parseCount), 5)
  .option('--bytes <size>', 'size of one checkpoint', parsed(parseBytes), 4 * GiB)
  .option('--rest <seconds>', restText, parsed(parseCount), 8)
  .option('--rows <ids>', `some of ${cudaRowIds.join(',')}`, parsed(parseRows(cudaRowIds)), cudaRowIds)
  .option('--device <number>', 'the GPU', Number, 0)
  .option('--torch-device <device>', "what PyTorch's part runs on, cpu only to try it out (default: that GPU)")
  .option('--json <file>', 'writes the report as JSON; - is standard output, instead of the tables')
  .action((options: CudaOptions & { rest: number }) => {
    requireGpu();
    const room = { outputBytes: 2 * Math.max(options.bytes, GiB), memoryBytes: 2 * options.bytes + 2 * GiB };
    const place = makePlace(options.dir, room, options.rest);
    return runInPlace(place, (there, signal) => benchCuda(options, there, signal));
  });

program
  .command('ranks')
  .description('several processes that save one checkpoint, over one process that saves as much')
  .requiredOption('--dir <directory>', 'where to write; a folder of its own is made in it, and removed')
  .option('--pairs <count>', 'how often each trial runs', parsed(parseCount), 5)
  .option('--bytes <size>', 'of all ranks together', parsed(parseBytes), 4 * GiB)
  .option('--rest <seconds>', restText, parsed(parseCount), 8)
  .action((options: Options) => inPlace(options, (place, signal) => benchRanks(options, place, signal)));

program
  .command('ranks-check')
  .description("rank 0's check of all rank manifests: time and memory, for growing numbers of ranks")
  .requiredOption('--dir <directory>', 'where to write; a folder of its own is made in it, and removed')
  .option('--ranks <counts>', 'how many ranks', parsed(parseCounts), [16, 128, 1024, 16_384])
  .action(({ dir, ranks }: { dir: string; ranks: number[] }) => {
    const room = { outputBytes: Math.max(...ranks) * rankManifestBytes, memoryBytes: 2 * GiB };
    return runInPlace(makePlace(dir, room, 0), (place, signal) => benchRankCheck(ranks, place, signal));
  });

program
  .command('micro')
  .description('the inner parts of saving and opening, each by itself')
  .option('--tensors <count>', 'tensors in the checkpoint', parsed(parseCount), 10_000)
  .action((options: { tensors: number }) => benchMicro(options.tensors));

program
  .command('chart')
  .description("draws a result of snapshard bench --json for the README: ours against the device's limit and rivals")
  .argument('<result.json>', 'what snapshard bench --json wrote')
  .option('--out <file>', 'the image', 'bench/rivals.svg')
  .action((result: string, { out }: { out: string }) => benchChart(result, out));

program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
