import type { Checkpoint } from '../restore/checkpoint.js';
import type { TensorInfo } from '../restore/read_types.js';
import { ExitCode } from './exit_code.js';
import { type Selection, select } from './filter.js';
import { metadataLines } from './metadata.js';
import { open } from './open.js';
import { type FileSummary, type GroupSummary, summarizeFiles, summarizeGroups } from './summary.js';
import { factLines, tableLines } from './table.js';
import type { Terminal } from './terminal.js';
import { count, printable, shapeText, sizeIn, sizeText, timeText } from './text.js';
import { treeOf } from './tree.js';
import { treeLines } from './tree_lines.js';

interface Options extends Selection {
  readonly tree?: true;
  readonly list?: true;
  readonly depth?: number;
  readonly json?: true;
}

/** More tensors than these are shown as a tree. */
const listMax = 100;
/** Of more files, as many ranks write them, the rest is counted. */
const filesMax = 20;

/** `snapshard inspect` */
export async function inspect(path: string, options: Options, terminal: Terminal): Promise<ExitCode> {
  await using checkpoint = await open(path, terminal);
  const tensors = select(checkpoint.tensors.values(), options);
  if (options.json) {
    terminal.printJson(jsonOf(checkpoint, tensors));
    return ExitCode.Fine;
  }
  const sections = [
    factsOf(checkpoint, terminal.width),
    groupLines(summarizeGroups(tensors), terminal.width),
    fileLines(summarizeFiles(tensors), terminal.width),
    sideFileLines(checkpoint, terminal.width),
    showsTree(options, tensors.length)
      ? treeLines(treeOf(tensors), options.depth ?? Infinity, terminal.width)
      : tensorLines(tensors, terminal.width),
    [totalLine(tensors, checkpoint.tensors.size)],
  ];
  terminal.print(sections.filter((lines) => lines.length > 0).flatMap((lines) => ['', ...lines]).slice(1));
  return ExitCode.Fine;
}

function showsTree({ tree, list, depth }: Options, tensors: number): boolean {
  if (tree || depth !== undefined) return true;
  return !list && tensors > listMax;
}

function factsOf(checkpoint: Checkpoint, width: number): string[] {
  const { path, format, step, time, worldSize, digest, metadata } = checkpoint;
  const facts: [string, string | string[]][] = [
    ['path', printable(path)],
    ['format', format],
  ];
  if (step !== undefined) facts.push(['step', String(step)]);
  if (time !== undefined) facts.push(['time', `${timeText(time)} UTC`]);
  if (worldSize !== undefined) facts.push(['ranks', String(worldSize)]);
  facts.push(['digest', digest ?? 'none: what is read cannot be verified']);
  const lines = metadataLines(metadata);
  if (lines.length > 0) facts.push(['metadata', lines]);
  return factLines(facts, width);
}

function groupLines(groups: readonly GroupSummary[], width: number): string[] {
  return tableLines(
    [
      { title: 'group', flexible: true, text: ({ name }) => printable(name) },
      { title: 'tensors', align: 'right', text: ({ tensors }) => String(tensors) },
      { title: 'size', align: 'right', text: ({ bytes }) => sizeText(bytes) },
      { title: 'files', align: 'right', text: ({ files }) => String(files) },
    ],
    groups,
    width,
  );
}

function fileLines(files: readonly FileSummary[], width: number): string[] {
  const lines = tableLines(
    [
      { title: 'file', flexible: true, text: ({ name }) => printable(name) },
      { title: 'tensors', align: 'right', text: ({ tensors }) => String(tensors) },
      { title: 'size', align: 'right', text: ({ bytes }) => sizeText(bytes) },
    ],
    files.slice(0, filesMax),
    width,
  );
  return files.length <= filesMax ? lines : [...lines, `… and ${files.length - filesMax} more (--json has all)`];
}

function sideFileLines({ files }: Checkpoint, width: number): string[] {
  return tableLines(
    [
      { title: 'side file', flexible: true, text: ({ name }) => printable(name) },
      { title: 'size', align: 'right', text: ({ bytes }) => sizeText(bytes) },
    ],
    [...files.values()],
    width,
  );
}

function tensorLines(tensors: readonly TensorInfo[], width: number): string[] {
  const grouped = new Set(tensors.map(({ group }) => group)).size > 1;
  const sliced = tensors.some(({ slices }) => slices.length > 1);
  return tableLines(
    [
      { title: 'tensor', flexible: true, text: ({ name }) => printable(name) },
      { title: 'dtype', text: ({ dtype }) => dtype },
      { title: 'shape', text: ({ shape }) => shapeText(shape) },
      { title: 'size', align: 'right', text: ({ bytes }) => sizeText(bytes) },
      { title: 'slices', align: 'right', text: ({ slices }) => (sliced ? String(slices.length) : '') },
      { title: 'group', text: ({ group }) => (grouped ? printable(group) : '') },
    ],
    tensors,
    width,
  );
}

function totalLine(tensors: readonly TensorInfo[], all: number): string {
  const bytes = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const selected = tensors.length === all ? '' : ` of ${all}`;
  return `total: ${tensors.length}${selected} ${all === 1 ? 'tensor' : 'tensors'}, ${sizeIn(bytes)} (${count(bytes, 'byte')})`;
}

function jsonOf(checkpoint: Checkpoint, tensors: readonly TensorInfo[]): unknown {
  const { path, format, step, time, worldSize, digest, metadata } = checkpoint;
  const bytes = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  return {
    ...{ path, format, step, time, worldSize, digest, metadata },
    groups: summarizeGroups(tensors),
    files: summarizeFiles(tensors),
    sideFiles: [...checkpoint.files.values()],
    tensors,
    total: { tensors: tensors.length, bytes },
  };
}
