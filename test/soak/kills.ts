import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { MiB } from '../support/bytes.js';
import { expectInvariant, leftoversIn } from './invariant.js';
import { lastDoing, lastTold, runVictim, type VictimReport } from './kill/victim.js';
import { momentOf, type Moment } from './kill/moments.js';
import type { SoakClass } from './soak_class.js';

const soakBytes = 256 * MiB;
/** Each at another moment of the same kind. */
const attemptsMax = 10;

function ends({ end }: Moment): [number | null, NodeJS.Signals | null] {
  switch (end?.ending) {
    case undefined:
    case 'kill':
      return [null, 'SIGKILL'];
    case 'term':
      return [null, 'SIGTERM'];
    case 'exit':
      return [3, null];
    case 'throw':
      return [1, null];
    case 'terminate':
      return [0, null];
  }
}

/**
 * Whether it ended at work: between two saves there is nothing but a removal.
 * @throws where it ended in a way that nobody asked for
 */
export function endedAtWork(moment: Moment, report: VictimReport): boolean {
  const said = `${JSON.stringify(moment)}: ${report.lines.slice(-6).join('; ')}; ${report.errors}`;
  assert(!report.hung, `It hung. ${said}`);
  const { doing } = lastDoing(report);
  const ranOut = doing === 'closed' && report.code === 0;
  if (!ranOut) assert.deepEqual([report.code, report.signal], ends(moment), said);
  // Once it has published a replacement, what was replaced is still being deleted.
  const atWork = moment.sweeping === true ? ['opening'] : ['begun', 'removing', 'published', 'removed'];
  return atWork.includes(doing);
}

/** What a writer leaves that dies while it writes. */
function leaveSome(root: string, bytes: number): Promise<VictimReport> {
  const moment: Moment = { name: 'writing', end: { after: 1, ending: 'kill', phase: 'writing', share: 0.5 } };
  return runVictim({ root, bytes, firstStep: 1, moment });
}

export interface KilledAt {
  readonly moment: string;
  /** What the victim had said last. */
  readonly doing: string;
  readonly atWork: boolean;
}

/** One victim, or one that dies while it sweeps what the one before left; then the invariant, at work or not. */
export async function killOnce(moment: Moment, root: string, bytes: number): Promise<KilledAt> {
  const before = moment.sweeping === true ? await leaveSome(root, bytes) : undefined;
  const hadLeft = before === undefined || leftoversIn(root).length > 0;
  const report = await runVictim({ root, bytes, firstStep: 1, moment });
  const atWork = endedAtWork(moment, report) && hadLeft;
  const told = lastTold(report) ?? (before && lastTold(before));
  const step = Math.max(...[report, before ?? report].map((each) => lastDoing(each).step));
  try {
    await expectInvariant(root, told, Math.max(1, step));
  } catch (error) {
    const said = `Killed at ${JSON.stringify(moment)}; it had said: ${report.lines.slice(-6).join('; ')}`;
    throw new Error(`${said}\n${String((error as Error).stack)}`, { cause: error });
  }
  return { moment: moment.name, doing: lastDoing(report).doing, atWork };
}

/** As {@link killOnce}, until one ended at work: those that missed their moment tell little. */
export async function killAtWork(seed: number, folder: string, bytes: number): Promise<KilledAt & { missed: number }> {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const root = join(folder, `attempt-${attempt}`);
    mkdirSync(root);
    const killed = await killOnce(momentOf(seed, attempt), root, bytes);
    rmSync(root, { recursive: true });
    if (killed.atWork) return { ...killed, missed: attempt };
  }
  throw new Error(`No writer ended at work: ${attemptsMax} missed their moments, ${momentOf(seed).name}.`);
}

export const soak: SoakClass = {
  name: 'kills',
  about: 'a writer killed, or ended, at work: what was published is whole and there, and the next writer continues',
  whyNot: () => (spawnSync('strace', ['-V']).status === 0 ? undefined : 'strace is not installed'),
  async trial(seed, folder) {
    const { moment, doing, missed } = await killAtWork(seed, folder, soakBytes);
    return { 'ended at work': 1, 'missed and tried again': missed, [`at ${moment}`]: 1, [`last said: ${doing}`]: 1 };
  },
};
