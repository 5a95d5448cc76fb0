import { Option, type Command } from 'commander';
import {
  durationOption,
  examples,
  positiveDuration,
  positiveInteger,
  shareOption,
  sizeOption,
  wholeNumber,
} from './arguments.js';
import type { BenchFlags } from './bench_options.js';
import type { End } from './program.js';
import type { Terminal } from './terminal.js';

export const option = (flags: string, description: string, parse?: (text: string) => unknown): Option => {
  const made = new Option(flags, description);
  return parse === undefined ? made : made.argParser(parse);
};

/** @param bytes of a rank where nothing is said, as text */
export const workloadOptions = (bytes: string): Option[] => [
  option('--model <name>', 'ranks of MLPerf Storage (default: 8B)')
    .choices(['8B', '70B', '405B', '1T'])
    .conflicts(['tensors', 'like']),
  option('--bytes <size>', `of a rank at most, its mix of tensors kept (default: ${bytes}; with --like all of it)`, sizeOption),
  option('--fraction <share>', 'of a rank, instead of --bytes, such as 0.25', shareOption).conflicts(['bytes', 'tensors']),
  option('--tensors <count>', 'so many equal tensors instead of a model', positiveInteger).conflicts('like'),
  option('--like <checkpoint>', 'tensors shaped like those of a checkpoint; no data of it is read'),
  option('--seed <number>', 'what the data are drawn from', wholeNumber).default(1),
  option('--ranks <count>', 'processes that save one checkpoint together', positiveInteger).default(1),
];

const runOptions = (): Option[] => [
  option('--repeat <rounds>', 'rounds that count', positiveInteger).default(5),
  option('--warmup <rounds>', 'rounds before these, not counted', wholeNumber).default(1),
  option('--rest <time>', 'how long the device rests before each trial', durationOption).default(3, '3s'),
  option('--interval <time>', 'also save on a schedule, to find the rate that a burst hides', durationOption),
  option('--save-only', 'neither verify nor restore').conflicts('restoreOnly'),
  option('--restore-only', 'save once, uncounted, then verify and restore').conflicts(['interval', 'rivals', 'trace', 'mtbf']),
  option('--no-limits', 'neither raw writes and reads, nor fio, nor memcpy'),
  option('--rivals <names>', 'all, none, or some (see below)').default('all'),
  option('--python <path>', 'the Python of the rivals (default: SNAPSHARD_PYTHON, else python3)'),
];

const writerOptions = (): Option[] => [
  option('--block <size>', 'bytes of one write (default: 4MiB)', sizeOption),
  option('--depth <count>', 'writes in flight (default: 16)', positiveInteger),
  option('--threads <count>', 'threads that copy and hash (default: 2)', positiveInteger),
  option('--engine <name>', 'what writes (default: auto)').choices(['auto', 'io_uring', 'pwrite']),
  option('--no-direct', 'write through the page cache'),
  option('--staging <size>', 'memory that a rank stages in (default: 1GiB)', sizeOption),
  option('--options <file>', 'what snapshard tune --out wrote; what is given besides wins'),
];

const jobOptions = (): Option[] => [
  option('--mtbf <time>', 'tell what it means for a job that fails so often, such as 6h', positiveDuration),
  option('--step-time <time>', 'of a training step of that job', positiveDuration),
  option('--state-bytes <size>', 'of its model and optimizer (default: of the model, or what was measured)', sizeOption),
  option('--job-ranks <count>', 'that save it (default: those of the model, or --ranks)', positiveInteger),
];

const outputOptions = (): Option[] => [
  option('-y, --yes', 'do not ask; needed where there is no terminal'),
  option('--json <file>', 'write all that was measured, for --compare'),
  option('--html <file>', 'write a page with plots, which needs no network'),
  option('--trace <file>', 'write what each block went through, for Perfetto'),
  option('--compare <files...>', 'instead of measuring: two results of --json, side by side'),
];

const rivalsText = `
Rivals:
  node-writefile  node-stream  torch.save  safetensors  dcp  dcp-2  dcp-hf  orbax
  Each saves the same tensors in the same folder, durably; what is not installed is named.`;

/** `snapshard bench` */
export function addBench(program: Command, terminal: Terminal, end: End): void {
  const command = program
    .command('bench')
    .summary('measure what a disk or a mount does to checkpoints')
    .description(
      'Saves, verifies and restores checkpoints in a folder, against the best that the device gives and what others ' +
        'save with: in rounds, each trial in a fresh process. What it writes lies in a folder of its own, and is removed.',
    )
    .argument('[directory]', 'where checkpoints are to go');
  const groups = {
    'What is saved:': workloadOptions('4GiB'),
    'How it is run:': runOptions(),
    'How it is written:': writerOptions(),
    'What it means:': jobOptions(),
    'What comes of it:': outputOptions(),
  };
  for (const [heading, options] of Object.entries(groups)) {
    for (const each of options) command.addOption(each.helpGroup(heading));
  }
  command
    .addHelpText('after', rivalsText)
    .addHelpText(
      'after',
      examples(
        'bench /mnt/nvme',
        'bench /mnt/nfs --ranks 8 --bytes 2GiB --mtbf 6h --json nfs.json --html nfs.html',
        'bench --compare before.json after.json',
      ),
    )
    .action(async (directory: string | undefined, flags: BenchFlags) => {
      const { bench } = await import('./bench.js');
      end(await bench(directory, flags, givenNames(command), terminal));
    });
}

/** Options that were given, not those that are as by default. */
function givenNames(command: Command): string[] {
  return Object.keys(command.opts()).filter((name) => command.getOptionValueSource(name) === 'cli');
}
