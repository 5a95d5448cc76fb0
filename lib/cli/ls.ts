import { join } from 'node:path';
import { SnapshardError } from '../errors.js';
import { type ListedCheckpoint, listCheckpoints } from '../restore/list.js';
import { isCheckpointItself } from '../restore/nothing_here.js';
import { openOwn } from '../restore/open.js';
import { NativeStore } from '../store/native_store.js';
import { findMissing } from '../restore/whole.js';
import { folderBytes } from './disk.js';
import { ExitCode } from './exit_code.js';
import { type Column, tableLines } from './table.js';
import type { Terminal } from './terminal.js';
import { printable, sizeText, timeText, wrapWords } from './text.js';

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
  const rows = await rowsOf(root, options.quick ?? false);
  if (options.json) terminal.printJson({ root, checkpoints: rows.map(jsonOf) });
  else if (rows.length === 0) terminal.note(`${root} holds no checkpoint.`);
  else terminal.print(linesOf(root, rows, terminal.width));
  return rows.some(({ damaged }) => damaged !== undefined) ? ExitCode.Finding : ExitCode.Fine;
}

async function rowsOf(root: string, quick: boolean): Promise<Row[]> {
  const store = await NativeStore.open(root, 'use');
  const rows: Row[] = [];
  try {
    for (const listed of await listCheckpoints(root)) {
      const row = await rowOf(store, listed, quick);
      if (row !== undefined) rows.push(row);
    }
    if (rows.length === 0 && (await isCheckpointItself(store))) throw checkpointItself(root);
  } finally {
    await store.close();
  }
  return rows;
}

function checkpointItself(root: string): SnapshardError {
  const message = `${root} holds no checkpoint, for it is one itself: list the folder that it lies in, or inspect it.`;
  return new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', message, { path: root });
}

/** `undefined` for one that was removed meanwhile. */
async function rowOf(store: NativeStore, listed: ListedCheckpoint, quick: boolean): Promise<Row | undefined> {
  const bytes = await folderBytes(store, listed.name);
  if (quick || listed.damaged !== undefined) return { listed, bytes, tensors: undefined, damaged: listed.damaged };
  try {
    return { listed, bytes, ...(await lookInto(store, listed.name)) };
  } catch (error) {
    if (!(error instanceof SnapshardError)) throw error;
    if (error.code === 'ERR_SNAPSHARD_NOT_FOUND') return undefined;
    return { listed, bytes, tensors: undefined, damaged: error.message };
  }
}

async function lookInto(root: NativeStore, name: string): Promise<Pick<Row, 'tensors' | 'damaged'>> {
  const opened = await openOwn(root, name);
  try {
    return { tensors: opened.stored.tensors.size, damaged: await findMissing(opened) };
  } finally {
    await opened.store.close();
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
    .flatMap(({ listed, damaged }) => ['', ...wrapWords(printable(`${listed.name} is damaged: ${damaged}`), width)]);
  return [...tableLines(columns, rows, width), ...reasons];
}
