import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { examples, positiveInteger, repeatable, sizeOption, stepArgument } from './arguments.js';
import type { ExitCode } from './exit_code.js';
import { addBench } from './program_bench.js';
import { addTune } from './program_tune.js';
import type { Terminal } from './terminal.js';

export type End = (code: ExitCode) => void;

const exitCodes = `
Exit codes:
  0    fine
  1    something is wrong with the data: damage was found, or the checkpoints differ
  2    a wrong call, or it could not be done
  130  interrupted (143 by SIGTERM, 129 by SIGHUP)`;

/** Commands load what they need when they run, so that help needs no add-on. */
export function buildProgram(terminal: Terminal, end: End): Command {
  const program = new Command('snapshard')
    .description('Looks at, checks, compares, exports and removes checkpoints, and measures what they are written to.')
    .version(ownVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .addHelpText('after', exitCodes)
    .exitOverride()
    .configureOutput({
      outputError: () => undefined,
      getOutHelpWidth: () => terminal.width,
      getErrHelpWidth: () => terminal.width,
    });
  addLs(program, terminal, end);
  addInspect(program, terminal, end);
  addVerify(program, terminal, end);
  addDiff(program, terminal, end);
  addExport(program, terminal, end);
  addRm(program, terminal, end);
  addBench(program, terminal, end);
  addTune(program, terminal, end);
  return program;
}

const checkpointArgument = "a checkpoint's folder, a .safetensors file, or a root: then its newest";

function addLs(program: Command, terminal: Terminal, end: End): void {
  program
    .command('ls')
    .summary('list the checkpoints of a root')
    .description('Lists the checkpoints of a root, newest last. Damaged ones are marked.')
    .argument('<root>', 'the folder that holds the checkpoints')
    .option('--quick', 'read manifest.json only: no tensors, and damage elsewhere is not seen')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('ls runs/run-7', 'ls runs/run-7 --json | jq ".checkpoints[-1].step"'))
    .action(async (root: string, options: { quick?: true; json?: true }) => {
      const { ls } = await import('./ls.js');
      end(await ls(root, options, terminal));
    });
}

function addInspect(program: Command, terminal: Terminal, end: End): void {
  const command = program
    .command('inspect')
    .summary('print what is in a checkpoint')
    .description('Prints metadata, groups, files and tensors of a checkpoint, without reading its data.')
    .argument('<checkpoint>', checkpointArgument);
  addSelection(command)
    .option('--tree', 'tensors as a tree by name, with sums (default for more than 100)')
    .addOption(new Option('--list', 'tensors one by one (default for up to 100)').conflicts(['tree', 'depth']))
    .option('--depth <levels>', 'levels of the tree', positiveInteger)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      examples(
        'inspect runs/run-7',
        'inspect runs/run-7/step-0000001000 --group model --filter "layers.0.*"',
        'inspect model.safetensors --tree --depth 2',
      ),
    )
    .action(async (path: string, options: SelectionOptions & { tree?: true; list?: true; depth?: number; json?: true }) => {
      const { inspect } = await import('./inspect.js');
      end(await inspect(path, options, terminal));
    });
}

function addVerify(program: Command, terminal: Terminal, end: End): void {
  program
    .command('verify')
    .summary('read all of a checkpoint, and find what is damaged')
    .description('Reads every byte of a checkpoint and compares it with its digest. Prints each damaged chunk.')
    .argument('<checkpoint>', checkpointArgument)
    .option('--all', 'every checkpoint of a root, not just the newest')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('verify runs/run-7', 'verify runs/run-7 --all', 'verify runs/run-7/step-0000001000 || echo "do not resume from it"'))
    .action(async (path: string, options: { all?: true; json?: true }) => {
      const { verify } = await import('./verify.js');
      const { verifyAll } = await import('./verify_all.js');
      end(await (options.all ? verifyAll : verify)(path, options, terminal));
    });
}

function addDiff(program: Command, terminal: Terminal, end: End): void {
  const command = program
    .command('diff')
    .summary('compare two checkpoints')
    .description(
      'Compares metadata, tensors and side files of two checkpoints. Tensors are compared by digest; by content ' +
        'where there are no digests, or the tensors are cut differently.',
    )
    .argument('<a>', checkpointArgument)
    .argument('<b>', 'the other one');
  addSelection(command)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      examples('diff runs/run-7/step-0000001000 runs/run-7/step-0000002000', 'diff runs/run-7 exported --group model'),
    )
    .action(async (a: string, b: string, options: SelectionOptions & { json?: true }) => {
      const { diff } = await import('./diff.js');
      end(await diff(a, b, options, terminal));
    });
}

function addExport(program: Command, terminal: Terminal, end: End): void {
  const command = program
    .command('export')
    .summary('write a checkpoint as one Hugging Face folder')
    .description(
      'Puts the parts of all ranks together, into one Hugging Face folder of safetensors files, an index and the side ' +
        'files. What is read is verified. The folder appears whole, or not at all.',
    )
    .argument('<checkpoint>', checkpointArgument)
    .argument('<out>', 'the folder to make; it must not exist');
  addSelection(command)
    .addOption(
      new Option('--max-shard-size <size>', 'bytes of tensors in one file, such as 512MiB')
        .argParser(sizeOption)
        .default(5e9, '5GB'),
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      examples('export runs/run-7 llama --group model', 'export runs/run-7/step-0000001000 out --max-shard-size 2GiB'),
    )
    .action(async (path: string, out: string, options: SelectionOptions & { maxShardSize: number; json?: true }) => {
      const { exportCheckpoint } = await import('./export.js');
      end(await exportCheckpoint(path, out, options, terminal));
    });
}

function addRm(program: Command, terminal: Terminal, end: End): void {
  program
    .command('rm')
    .summary('remove checkpoints')
    .description('Removes steps of a root, all generations of each. Says what it removes, and asks before.')
    .argument('<root>', 'the folder that holds the checkpoints')
    .argument('<step...>', 'steps, such as 1000', stepArgument)
    .option('-y, --yes', 'do not ask; needed where there is no terminal')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('rm runs/run-7 1000 2000', 'rm runs/run-7 1000 --yes'))
    .action(async (root: string, steps: readonly number[], options: { yes?: true; json?: true }) => {
      const { rm } = await import('./rm.js');
      end(await rm(root, steps, options, terminal));
    });
}

interface SelectionOptions {
  filter: readonly string[];
  group: readonly string[];
}

function addSelection(command: Command): Command {
  return command
    .addOption(repeatable('-f, --filter <pattern>', 'tensors whose name contains this, or matches it (* and ?)'))
    .addOption(repeatable('-g, --group <name>', 'tensors of this group'));
}

function ownVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
