import { join } from 'node:path';
import { SnapshardError } from '../errors.js';
import { type ListedCheckpoint, listCheckpoints } from '../restore/list.js';
import { NativeStore } from '../store/native_store.js';
import { type StepName, stepNames } from '../store/published.js';
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
  readonly path: string;
  readonly step: number;
  readonly bytes: number;
  readonly state: string;
}

/** `snapshard rm` */
export async function rm(root: string, steps: readonly number[], options: Options, terminal: Terminal): Promise<ExitCode> {
  const victims = await find(root, new Set(steps));
  for (const victim of victims) terminal.note(`removes ${describe(victim)}`);
  if (!options.yes && !(await confirmed(`Remove ${count(victims.length, 'folder')}?`, 'Nothing was removed'))) {
    terminal.note('Nothing was removed.');
    return ExitCode.Failure;
  }
  const removed = [...new Set(victims.map(({ step }) => step))];
  for (const step of removed) await removeCheckpoint(root, step);
  const bytes = victims.reduce((sum, victim) => sum + victim.bytes, 0);
  if (options.json) terminal.printJson({ root, removed, bytes });
  else terminal.print(`removed ${count(removed.length, 'step')}, ${sizeIn(bytes)}`);
  return ExitCode.Fine;
}

/** Looks for all of them before any is removed, also for generations that others have replaced. */
async function find(root: string, steps: ReadonlySet<number>): Promise<Victim[]> {
  const store = await NativeStore.open(root, 'use');
  try {
    const found = stepNames(await store.listRoot()).filter(({ step }) => steps.has(step)).reverse();
    const missing = [...steps].filter((step) => !found.some((each) => each.step === step));
    if (missing.length > 0) {
      const message = `${root} has no checkpoint of step ${missing.join(', ')}. Nothing was removed.`;
      throw new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', message, { path: root });
    }
    const listed = new Map((await listCheckpoints(root)).map((each) => [each.name, each]));
    const victimOf = async ({ name, step }: StepName): Promise<Victim> => {
      const bytes = await folderBytes(store, name);
      return { path: join(store.root, name), step, bytes, state: stateOf(listed.get(name)) };
    };
    return await Promise.all(found.map(victimOf));
  } finally {
    await store.close();
  }
}

/** @param listed `undefined` for what is not listed, since a higher generation is intact */
function stateOf(listed: ListedCheckpoint | undefined): string {
  if (listed === undefined) return 'replaced';
  return listed.damaged === undefined ? timeText(listed.time) : 'damaged';
}

function describe({ path, bytes, state }: Victim): string {
  return printable(`${path} (${sizeIn(bytes)}, ${state})`);
}
