import { SnapshardError } from '../errors.js';
import { openCheckpoint } from '../restore/checkpoint.js';
import { type ListedCheckpoint, listCheckpoints } from '../restore/list.js';
import { reasonOf } from '../store/published.js';
import { ExitCode } from './exit_code.js';
import { readOptions } from './open.js';
import type { Terminal } from './terminal.js';
import { count, printable, wrapWords } from './text.js';
import { type Verified, verdictLines, verifyShowing } from './verify.js';

/** What became of one of them: it was verified, or is so damaged that it does not open. */
type Verdict = { readonly path: string; readonly step: number } & (
  | Verified
  | { readonly unreadable: string }
);

/** `snapshard verify --all` */
export async function verifyAll(root: string, options: { readonly json?: true }, terminal: Terminal): Promise<ExitCode> {
  const signal = terminal.interruptible();
  const checkpoints: Verdict[] = [];
  for (const listed of await requireSome(root)) {
    const verdict = await verdictOn(listed, signal);
    if (verdict === undefined) continue;
    checkpoints.push(verdict);
    if (!options.json) terminal.print([...linesOf(verdict, terminal.width), '']);
  }
  const damaged = checkpoints.filter(isDamaged).length;
  if (options.json) terminal.printJson({ root, checkpoints });
  else terminal.print(`${count(checkpoints.length, 'checkpoint')}: ${checkpoints.length - damaged} fine, ${damaged} damaged`);
  return damaged > 0 ? ExitCode.Finding : ExitCode.Fine;
}

async function requireSome(root: string): Promise<ListedCheckpoint[]> {
  const listed = await listCheckpoints(root);
  if (listed.length > 0) return listed;
  const message = `${root} holds no checkpoint: --all verifies those of a root. Without it, one by its own path.`;
  throw new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', message, { path: root });
}

/** `undefined` for one that was removed meanwhile. */
async function verdictOn({ path, step, damaged }: ListedCheckpoint, signal: AbortSignal): Promise<Verdict | undefined> {
  if (damaged !== undefined) return { path, step, unreadable: damaged };
  try {
    await using checkpoint = await openCheckpoint(path, readOptions);
    return { path, step, ...(await verifyShowing(checkpoint, signal)) };
  } catch (error) {
    if (error instanceof SnapshardError && error.code === 'ERR_SNAPSHARD_NOT_FOUND') return undefined;
    return { path, step, unreadable: reasonOf(error) };
  }
}

function isDamaged(verdict: Verdict): boolean {
  return 'unreadable' in verdict || verdict.damaged.length > 0;
}

function linesOf(verdict: Verdict, width: number): string[] {
  if (!('unreadable' in verdict)) return verdictLines({ ...verdict, format: 'snapshard' }, [], width);
  const { path, unreadable } = verdict;
  return wrapWords(printable(unreadable.startsWith(path) ? unreadable : `${path} is damaged: ${unreadable}`), width);
}
