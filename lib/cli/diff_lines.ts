import type { Checkpoint } from '../restore/checkpoint.js';
import type { TensorInfo } from '../restore/read_types.js';
import type { Difference, TensorChange } from './diff.js';
import { shortened } from './metadata.js';
import { type Column, factLines, tableLines } from './table.js';
import { treeOf } from './tree.js';
import { treeLines } from './tree_lines.js';
import { count, printable, shapeText, sizeText, timeText, wrap } from './text.js';

interface TensorRow {
  readonly tensor: TensorInfo;
  readonly change: string;
}

/** More tensors than these are shown as a tree. */
const listMax = 50;

/** What differs, section by section, and a summary. Nothing else is printed of what is equal. */
export function differenceLines(a: Checkpoint, b: Checkpoint, difference: Difference, width: number): string[] {
  const sections = [
    factLines([['A', titleOf(a)], ['B', titleOf(b)]], width),
    titled('metadata', difference.metadata.flatMap((change) => metadataLines(change, width))),
    ...tensorSections(difference, width),
    titled('side files', sideFileLines(difference)),
    [summaryOf(difference)],
  ];
  return sections.filter((lines) => lines.length > 0).flatMap((lines) => ['', ...lines]).slice(1);
}

function titleOf({ path, format, step, time }: Checkpoint): string {
  const facts = step === undefined ? format : `step ${step}, ${timeText(time)} UTC`;
  return printable(`${path} (${facts})`);
}

function titled(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`)];
}

function metadataLines({ key, before, after }: Difference['metadata'][number], width: number): string[] {
  const name = printable(key);
  const text =
    before === undefined
      ? `+ ${name}: ${shortened(after!)}`
      : after === undefined
        ? `- ${name}: ${shortened(before)}`
        : `~ ${name}: ${shortened(before)} -> ${shortened(after)}`;
  return wrap(text, width - 2);
}

function tensorSections({ added, removed, changed }: Difference, width: number): string[][] {
  const plain = (tensor: TensorInfo): TensorRow => ({ tensor, change: '' });
  const changes = changed.map((change) => ({ tensor: change.b, change: changeText(change) }));
  return [
    titled(`- ${count(removed.length, 'tensor')} removed`, tensorLines(removed.map(plain), width - 2)),
    titled(`+ ${count(added.length, 'tensor')} added`, tensorLines(added.map(plain), width - 2)),
    titled(`~ ${count(changed.length, 'tensor')} changed`, tensorLines(changes, width - 2)),
  ];
}

function tensorLines(rows: readonly TensorRow[], width: number): string[] {
  if (rows.length === 0) return [];
  if (rows.length > listMax) {
    return treeLines(treeOf(rows.map(({ tensor, change }) => ({ ...tensor, note: change }))), Infinity, width);
  }
  const columns: Column<TensorRow>[] = [
    { title: 'tensor', flexible: true, text: ({ tensor }) => printable(tensor.name) },
    { title: 'dtype', text: ({ tensor }) => tensor.dtype },
    { title: 'shape', text: ({ tensor }) => shapeText(tensor.shape) },
    { title: 'size', align: 'right', text: ({ tensor }) => sizeText(tensor.bytes) },
    { title: '', text: ({ change }) => change },
  ];
  return tableLines(columns, rows, width);
}

/** The table shows what B has; this is what A had where that is not just other bytes. */
function changeText({ what, a }: TensorChange): string {
  return what
    .map((aspect) => {
      if (aspect === 'dtype') return `was ${a.dtype}`;
      if (aspect === 'shape') return `was ${shapeText(a.shape)}`;
      return aspect === 'group' ? `was in ${printable(a.group)}` : 'content';
    })
    .join(', ');
}

function sideFileLines({ sideFiles: { added, removed, changed } }: Difference): string[] {
  return [
    ...removed.map((name) => `- ${printable(name)}`),
    ...added.map((name) => `+ ${printable(name)}`),
    ...changed.map((name) => `~ ${printable(name)}`),
  ];
}

function summaryOf({ changed, added, removed, equal, byDigest, byContent }: Difference): string {
  const compared = `compared by digest: ${byDigest}, by content: ${byContent}`;
  const figures = `${changed.length} changed, ${added.length} added, ${removed.length} removed, ${equal} equal`;
  return `${count(changed.length + added.length + removed.length + equal, 'tensor')}: ${figures} (${compared})`;
}
