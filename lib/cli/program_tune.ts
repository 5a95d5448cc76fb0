import { type Command, InvalidArgumentError, type Option } from 'commander';
import { durationOption, examples, positiveDuration, sizeOption } from './arguments.js';
import type { End } from './program.js';
import { option, workloadOptions } from './program_bench.js';
import type { Terminal } from './terminal.js';
import type { TuneFlags } from './tune.js';

const axes = ['engine', 'blockBytes', 'queueDepth', 'threads', 'shardBytes'] as const;
const repeatMin = 3;

const searchOptions = (): Option[] => [
  option('--axes <names>', `what is varied, of ${axes.join(',')}`, someAxes).default(axes, 'all'),
  option('--repeat <rounds>', 'of each axis, 3 or more: more rounds see smaller differences', rounds).default(5),
  option('--rest <time>', 'how long the device rests before each save', durationOption).default(2, '2s'),
  option('--within <time>', 'what does not fit into this is left out', positiveDuration).default(1200, '20min'),
  option('--staging <size>', 'memory that a rank stages in, now and later', sizeOption).default(2 ** 30, '1GiB'),
];

const outputOptions = (): Option[] => [
  option('-y, --yes', 'do not ask; needed where there is no terminal'),
  option('-o, --out <file>', 'write the options for CheckpointWriter.open, which takes this as `optionsFile`'),
  option('--json <file>', 'write all that was measured'),
  option('--html <file>', 'write a page with the curves, which needs no network'),
];

/** `snapshard tune` */
export function addTune(program: Command, terminal: Terminal, end: End): void {
  const command = program
    .command('tune')
    .summary('find the options that suit a disk or a mount')
    .description(
      'Saves to a folder over and over, in rounds, and finds the options of CheckpointWriter.open that suit what it ' +
        'lies on. Differences within the noise do not count: then the defaults are right. What it writes lies in a ' +
        'folder of its own, and is removed.',
    )
    .argument('<directory>', 'where checkpoints are to go');
  const groups = {
    'What is saved:': workloadOptions('1GiB'),
    'How it is searched:': searchOptions(),
    'What comes of it:': outputOptions(),
  };
  for (const [heading, options] of Object.entries(groups)) {
    for (const each of options) command.addOption(each.helpGroup(heading));
  }
  command
    .addHelpText(
      'after',
      examples(
        'tune /mnt/nvme --out nvme.json',
        'tune /mnt/nfs --ranks 8 --bytes 2GiB --within 1h --html nfs.html',
        'tune /mnt/nvme --axes blockBytes,queueDepth --repeat 9',
      ),
    )
    .action(async (directory: string, flags: TuneFlags) => {
      const { tuneCommand } = await import('./tune.js');
      end(await tuneCommand(directory, flags, terminal));
    });
}

function rounds(text: string): number {
  const value = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (value >= repeatMin) return value;
  throw new InvalidArgumentError(`Expected a whole number from ${repeatMin} on: fewer rounds do not tell noise from the rest.`);
}

function someAxes(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !(axes as readonly string[]).includes(name));
  if (unknown === undefined) return names;
  throw new InvalidArgumentError(`Expected some of ${axes.join(',')} but received '${unknown}'.`);
}
