import { join } from 'node:path';
import { openCheckpoint } from '../restore/checkpoint.js';
import { type ListedCheckpoint, listCheckpoints } from '../restore/list.js';
import { folderBytes } from './disk.js';
import { ExitCode } from './exit_code.js';
import { type Column, tableLines } from './table.js';
import type { Terminal } from './terminal.js';
import { printable, sizeText, timeText, wrap } from './text.js';

interface Options {
  readonly quick?: true;
  readonly json?: true;
}

interface Row {
  readonly listed: ListedCheckpoint;
  /** Of all its files, as they are on the disk. */
  readonly bytes: number;
  readonly tensors: number | undefined;
  readonly damaged: string | undefined;
}

/** `snapshard ls` */
export async function ls(root: string, options: Options, terminal: Terminal): Promise<ExitCode> {
  const rows: Row[] = [];
  for (const listed of await listCheckpoints(root)) rows.push(await rowOf(listed, options.quick ?? false));
  if (options.json) terminal.printJson({ root, checkpoints: rows.map(jsonOf) });
  else if (rows.length === 0) terminal.note(`${root} holds no checkpoint.`);
  else terminal.print(linesOf(root, rows, terminal.width));
  return rows.some(({ damaged }) => damaged !== undefined) ? ExitCode.Finding : ExitCode.Fine;
}

async function rowOf(listed: ListedCheckpoint, quick: boolean): Promise<Row> {
  const { damaged, path } = listed;
  const bytes = await folderBytes(path);
  if (quick || damaged !== undefined) return { listed, bytes, tensors: undefined, damaged };
  try {
    await using checkpoint = await openCheckpoint(path);
    return { listed, bytes, tensors: checkpoint.tensors.size, damaged };
  } catch (error) {
    return { listed, bytes, tensors: undefined, damaged: error instanceof Error ? error.message : String(error) };
  }
}

function jsonOf({ listed, bytes, tensors, damaged }: Row): unknown {
  const { path, name, step, generation, time, worldSize, metadata, digest } = listed;
  return { path, name, step, generation, time, bytes, tensors, worldSize, digest, metadata, damaged };
}

function linesOf(root: string, rows: readonly Row[], width: number): string[] {
  const columns: Column<Row>[] = [
    { title: 'step', align: 'right', text: ({ listed }) => String(listed.step) },
    { title: 'time (UTC)', text: ({ listed }) => timeText(listed.time) },
    { title: 'size', align: 'right', text: ({ bytes }) => sizeText(bytes) },
    { title: 'tensors', align: 'right', text: ({ tensors }) => String(tensors ?? '') },
    { title: 'ranks', align: 'right', text: ({ listed }) => String(listed.worldSize ?? '') },
    { title: '', text: ({ damaged }) => (damaged === undefined ? '' : 'damaged') },
    { title: 'path', flexible: true, text: ({ listed }) => printable(join(root, listed.name)) },
  ];
  const reasons = rows
    .filter(({ damaged }) => damaged !== undefined)
    .flatMap(({ listed, damaged }) => ['', ...wrap(printable(`${listed.name} is damaged: ${damaged}`), width)]);
  return [...tableLines(columns, rows, width), ...reasons];
}
