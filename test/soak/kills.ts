import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { MiB } from '../support/bytes.js';
import { expectInvariant, leftoversIn } from './invariant.js';
import { lastDoing, lastTold, runVictim, type VictimReport } from './kill/victim.js';
import { momentOf, type Moment } from './kill/moments.js';
import { Dice } from './misuse/dice.js';
import type { SoakClass } from './soak_class.js';

const soakBytes = 256 * MiB;
/** What a save takes, for want of anything better; then what the last victim told. */
let save_ms = 250;

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

/** It ended as it should, and at work: between two saves there is nothing but a removal. */
export function expectKilledAtWork(moment: Moment, report: VictimReport): void {
  const said = `${JSON.stringify(moment)}: ${report.lines.slice(-6).join('; ')}; ${report.errors}`;
  assert.deepEqual([report.code, report.signal], ends(moment), said);
  const { doing } = lastDoing(report);
  // Once it has published a replacement, what was replaced is still being deleted.
  const atWork = moment.sweeping === true ? ['opening'] : ['begun', 'removing', 'published', 'removed'];
  assert(atWork.includes(doing), `It was idle (${doing}). ${said}`);
  const time_ms = Number(report.lines.findLast((line) => line.startsWith('published '))?.split(' ')[3]);
  if (time_ms > 0) save_ms = time_ms;
}

/** What a writer leaves that dies while it writes. */
async function leaveSome(root: string, bytes: number): Promise<VictimReport> {
  const moment: Moment = { name: 'writing', end: { after: 1, ending: 'kill', phase: 'writing', share: 0.5 } };
  const report = await runVictim({ root, bytes, firstStep: 1, moment });
  assert(leftoversIn(root).length > 0, 'Nothing was left to sweep.');
  return report;
}

export interface KilledAt {
  readonly moment: string;
  /** What the victim had said last. */
  readonly doing: string;
}

/** One victim, or one that dies while it sweeps what the one before left; then the invariant. */
export async function killOne(seed: number, root: string, bytes: number): Promise<KilledAt> {
  const dice = new Dice(seed);
  const moment = momentOf(seed, dice, save_ms);
  const before = moment.sweeping === true ? await leaveSome(root, bytes) : undefined;
  const report = await runVictim({ root, bytes, firstStep: 1, moment });
  expectKilledAtWork(moment, report);
  const told = lastTold(report) ?? (before && lastTold(before));
  const { step } = lastDoing(before ?? report);
  try {
    await expectInvariant(root, told, Math.max(1, step));
  } catch (error) {
    const said = `Killed at ${JSON.stringify(moment)}; it had said: ${report.lines.slice(-6).join('; ')}`;
    throw new Error(`${said}\n${String((error as Error).stack)}`, { cause: error });
  }
  return { moment: moment.name, doing: lastDoing(report).doing };
}

export const soak: SoakClass = {
  name: 'kills',
  about: 'a writer killed, or ended, at work: what was published is whole and there, and the next writer continues',
  whyNot: () => (spawnSync('strace', ['-V']).status === 0 ? undefined : 'strace is not installed'),
  async trial(seed, folder) {
    const { moment, doing } = await killOne(seed, folder, soakBytes);
    if (process.env.SNAPSHARD_SOAK_TELL !== undefined) console.log(`kill ${seed}: ${moment}; last said: ${doing}`);
  },
};
