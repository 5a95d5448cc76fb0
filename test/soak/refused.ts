import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { buildDeny, saveUnder, whyNot, type Contents, type FaultyResult } from '../support/faulty_run.js';
import { Dice } from './misuse/dice.js';
import { expectReported, refusalsOf, type Refusals } from './refused/refusals.js';
import { placeOf } from './refused/places.js';
import type { SoakClass } from './soak_class.js';

let deny: string | undefined;

function denyPath(): string {
  if (deny !== undefined) return deny;
  const folder = mkdtempSync(join(tmpdir(), 'snapshard-deny-'));
  process.once('exit', () => { rmSync(folder, { recursive: true, force: true }); });
  return (deny = buildDeny(folder));
}

/** What is saved where nothing is refused; all trials save the same. */
let normal: Promise<Contents> | undefined;

async function saveNormally(folder: string): Promise<Contents> {
  const result = await saveUnder([], { root: folder, restore: true });
  assert.equal(result.failure, undefined);
  return result.saves[0]!.contents;
}

export function expectSame(result: FaultyResult, expected: Contents): void {
  assert.equal(result.failure, undefined, JSON.stringify(result.failure));
  for (const { failure, contents } of result.saves) {
    assert.equal(failure, undefined, JSON.stringify(failure));
    assert.deepEqual(contents, expected, 'Other bytes than where nothing is refused.');
  }
}

/** Saves and restores where all of this is refused at once. */
export async function refuseForGood(seed: number, folder: string): Promise<Refusals> {
  const dice = new Dice(seed);
  const refusals = refusalsOf(dice);
  const usual = join(folder, 'usual');
  mkdirSync(usual);
  normal ??= saveNormally(usual);
  const expected = await normal;
  const place = placeOf(refusals.place, folder);
  try {
    const launcher = refusals.rules.length === 0 ? [] : [denyPath(), refusals.rules.join(',')];
    const saves = [{ step: 1 }, { step: 2, inPlace: true }];
    const { descriptorsLeft } = refusals;
    const result = await saveUnder([...refusals.limits, ...launcher], {
      ...{ root: place.path, saves, restore: true },
      ...(descriptorsLeft !== undefined && { descriptorsLeft }),
    });
    expectSame(result, expected);
    expectReported(result, refusals);
  } catch (error) {
    throw new Error(`${JSON.stringify(refusals)}\n${String((error as Error).stack)}`, { cause: error });
  } finally {
    place.leave();
  }
  return refusals;
}

export const soak: SoakClass = {
  name: 'refused',
  about: 'features of the kernel refused for good, several at once: the same bytes, and why it is slower',
  whyNot: () => whyNot([denyPath(), 'openat2=ENOSYS']),
  async trial(seed, folder) {
    const refusals = await refuseForGood(seed, folder);
    if (process.env.SNAPSHARD_SOAK_TELL !== undefined) console.log(`refused ${seed}: ${JSON.stringify(refusals)}`);
  },
};
