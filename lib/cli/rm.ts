import { SnapshardError } from '../errors.js';
import { type ListedCheckpoint, listCheckpoints } from '../restore/list.js';
import { NativeStore } from '../store/native_store.js';
import { removeCheckpoint } from '../store/remove_checkpoint.js';
import { confirmed } from './confirm.js';
import { folderBytes } from './disk.js';
import { ExitCode } from './exit_code.js';
import type { Terminal } from './terminal.js';
import { count, printable, sizeIn, timeText } from './text.js';

interface Options {
  readonly yes?: true;
  readonly json?: true;
}

/** A directory to remove. */
interface Victim {
  readonly listed: ListedCheckpoint;
  readonly bytes: number;
}

/** `snapshard rm` */
export async function rm(root: string, steps: readonly number[], options: Options, terminal: Terminal): Promise<ExitCode> {
  const victims = await find(root, new Set(steps));
  for (const victim of victims) terminal.note(`removes ${describe(victim)}`);
  if (!options.yes && !(await confirmed(`Remove ${count(victims.length, 'folder')}?`, 'Nothing was removed'))) {
    terminal.note('Nothing was removed.');
    return ExitCode.Failure;
  }
  const removed = [...new Set(victims.map(({ listed }) => listed.step))];
  for (const step of removed) await removeCheckpoint(root, step);
  const bytes = victims.reduce((sum, victim) => sum + victim.bytes, 0);
  if (options.json) terminal.printJson({ root, removed, bytes });
  else terminal.print(`removed ${count(removed.length, 'step')}, ${sizeIn(bytes)}`);
  return ExitCode.Fine;
}

/** Looks for all of them before any is removed. */
async function find(root: string, steps: ReadonlySet<number>): Promise<Victim[]> {
  const found = (await listCheckpoints(root)).filter(({ step }) => steps.has(step));
  const missing = [...steps].filter((step) => !found.some((listed) => listed.step === step));
  if (missing.length > 0) {
    const message = `${root} has no checkpoint of step ${missing.join(', ')}. Nothing was removed.`;
    throw new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', message, { path: root });
  }
  const store = await NativeStore.open(root, 'use');
  try {
    return await Promise.all(found.map(async (listed) => ({ listed, bytes: await folderBytes(store, listed.name) })));
  } finally {
    await store.close();
  }
}

function describe({ listed, bytes }: Victim): string {
  const state = listed.damaged === undefined ? timeText(listed.time) : 'damaged';
  return printable(`${listed.path} (${sizeIn(bytes)}, ${state})`);
}
