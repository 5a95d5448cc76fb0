import { type Command, InvalidArgumentError, Option } from 'commander';
import type { TuneCall } from './tune.js';
import type { ExitCode } from './exit_code.js';
import { parseSize } from './size.js';
import type { Terminal } from './terminal.js';

const axes = ['engine', 'blockBytes', 'queueDepth', 'threads', 'shardBytes'] as const;
const repeatMin = 3;
const repeatMax = 100;

/** `snapshard tune` */
export function addTune(program: Command, terminal: Terminal, end: (code: ExitCode) => void): void {
  const command = program
    .command('tune')
    .summary('find the options that suit a disk or mount')
    .description(
      'Saves to a folder over and over, and finds the options of CheckpointWriter.open that suit what it lies on: ' +
        'block size, queue depth, threads, engine, direct or not, file size. Differences within the noise do not ' +
        'count: then the defaults are right. Says what it will write, asks, and removes it all.',
    )
    .argument('<dir>', 'a folder on what is measured; one of its own is made in it, and removed');
  addWhat(command);
  addHow(command);
  addOutput(command)
    .addHelpText('after', examples)
    .action(async (directory: string, options: TuneCall) => {
      const { tuneCommand } = await import('./tune.js');
      end(await tuneCommand(directory, options, terminal));
    });
}

function addWhat(command: Command): void {
  const model = new Option('--model <name>', 'a rank of this checkpoint of MLPerf Storage').choices(['8B', '70B', '405B', '1T']);
  command
    .addOption(model.default('8B'))
    .addOption(new Option('--bytes <size>', 'bytes of each rank, cut to keep the shapes').argParser(size).default(2 ** 30, '1GiB'))
    .addOption(new Option('--tensors <count>', 'that many equal tensors instead').argParser(integer(1, 1_000_000)).conflicts('like'))
    .option('--like <checkpoint>', 'the shapes of this checkpoint instead')
    .option('--ranks <count>', 'processes that save together', integer(1, 1024), 1)
    .addOption(new Option('--staging-bytes <size>', 'memory that the writer will have').argParser(size).default(undefined, '1GiB'))
    .option('--seed <number>', 'of the data, and of the order of the trials', integer(0, 2 ** 31), 1);
}

function addHow(command: Command): void {
  command
    .addOption(new Option('--axes <names>', `what is varied, of ${axes.join(',')}`).argParser(someAxes).default(axes, 'all'))
    .option('--repeat <rounds>', 'how often each value is measured: more rounds see smaller differences', integer(repeatMin, repeatMax), 5)
    .option('--rest <seconds>', 'how long the device rests before each save', seconds, 2)
    .option('--minutes <count>', 'begin nothing new after this long', integer(1, 10_000), 20);
}

function addOutput(command: Command): Command {
  return command
    .option('-y, --yes', 'do not ask; needed where there is no terminal')
    .option('-o, --out <file>', 'write the options to a file that CheckpointWriter.open takes as `optionsFile`')
    .option('--json <file>', 'write all that was measured as JSON; - is standard output, instead of the table')
    .option('--html <file>', 'write a page with the curves');
}

const examples = `
Examples:
  snapshard tune /mnt/nvme --out nvme.json
  snapshard tune /mnt/nfs --bytes 4GiB --ranks 8 --minutes 60 --html nfs.html
  snapshard tune /mnt/nvme --axes blockBytes,queueDepth --repeat 9 --yes`;

function integer(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most}.`);
  };
}

function seconds(text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value <= 3600) return value;
  throw new InvalidArgumentError('Expected seconds, from 0 to 3600.');
}

function size(text: string): number {
  const bytes = parseSize(text);
  if (bytes !== undefined) return bytes;
  throw new InvalidArgumentError('Expected a size, such as 4GiB, 512MiB or 1000000.');
}

function someAxes(text: string): readonly string[] {
  const names = text.split(',');
  const unknown = names.find((name) => !(axes as readonly string[]).includes(name));
  if (unknown === undefined) return names;
  throw new InvalidArgumentError(`Expected some of ${axes.join(',')}, without spaces, but received ${JSON.stringify(unknown)}.`);
}
