import assert from 'node:assert/strict';
import { MiB } from '../../support/bytes.js';
import type { Answer } from '../ordered_process.js';
import type { Trial } from '../trial.js';
import { errorOf, resultOf, type Saved, type Saver } from './saver.js';
import { overAll, withSetting, type Setting } from './setting.js';
import { expectWhole, leftoversIn } from './whole.js';

const rounds = 12;
const bytes = 2 * MiB;
const clients = [1, 2] as const;

type Pair<T> = readonly [T, T];

/** Two clients with a mount each, and a writer on each. */
function withRivals(name: string, work: (savers: Pair<Saver>, roots: Pair<string>, setting: Setting) => Promise<string>): Trial[] {
  return overAll(name, ['async', 'sync'], (version, exporting) =>
    withSetting(version, { clients, options: ['no_root_squash', exporting] }, async (setting) => {
      const savers = setting.savers as unknown as Pair<Saver>;
      const roots = setting.roots as unknown as Pair<string>;
      for (const [index, saver] of savers.entries()) resultOf(await saver.open(roots[index]!));
      return await work(savers, roots, setting);
    }),
  );
}

async function expectSame(savers: Pair<Saver>, roots: Pair<string>, steps: readonly number[]): Promise<void> {
  for (const [index, saver] of savers.entries()) assert.deepEqual(await expectWhole(roots[index]!, saver), steps);
}

const saveBoth = (savers: Pair<Saver>, step: number, overwrite: boolean): Promise<Answer<Saved>[]> =>
  Promise.all(savers.map((saver) => saver.save({ step, bytes, overwrite })));

const sameStep = withRivals('two writers on two mounts save the same steps at once: one wins each', async (savers, roots) => {
  const wins = [0, 0];
  for (let step = 0; step < rounds; step += 1) {
    const answers = await saveBoth(savers, step, false);
    const winner = answers.findIndex(({ error }) => error === undefined);
    assert.notEqual(winner, -1, `Nobody won step ${step}: ${JSON.stringify(answers)}`);
    wins[winner]! += 1;
    errorOf(answers[1 - winner]!, 'STEP_EXISTS');
  }
  await expectSame(savers, roots, Array.from({ length: rounds }, (_, step) => step));
  return `${rounds} steps, ${wins.join(' and ')} won`;
});

const otherSteps = withRivals('two writers on two mounts save other steps at once: both win', async (savers, roots) => {
  for (let step = 0; step < rounds; step += 2) {
    const saves = savers.map((saver, index) => saver.save({ step: step + index, bytes }));
    for (const answer of await Promise.all(saves)) resultOf(answer);
  }
  await expectSame(savers, roots, Array.from({ length: rounds }, (_, step) => step));
  return `${rounds} steps`;
});

const overwriting = withRivals('two writers on two mounts replace one step at once', async (savers, roots, { exported }) => {
  let both = 0;
  for (let round = 0; round < rounds; round += 1) {
    const answers = await saveBoth(savers, 1, true);
    const lost = answers.filter(({ error }) => error !== undefined);
    for (const answer of lost) errorOf(answer, 'GIVEN_UP', 'STEP_EXISTS');
    assert(lost.length < 2, 'Nobody won.');
    if (lost.length === 0) both += 1;
    assert.deepEqual(await expectWhole(roots[round % 2]!, savers[round % 2]!), [1]);
  }
  assert.deepEqual(leftoversIn(exported.path).filter((name) => name.endsWith('.partial')), []);
  return `${rounds} rounds, in ${both} both were published, one after the other`;
});

const removing = withRivals('one client removes each step as another replaces, lists and reads it', async (savers, roots) => {
  const [saver, other] = savers;
  let removed = 0;
  for (let step = 0; step < rounds; step += 1) {
    resultOf(await saver.save({ step, bytes }));
    const saving = saver.save({ step, bytes, overwrite: true });
    const { error } = await other.remove(roots[1], step);
    if (error === undefined) removed += 1;
    else errorOf({ error }, 'NOT_FOUND');
    resultOf(await saving);
    await expectWhole(roots[1], other);
  }
  return `${rounds} steps, ${removed} removed`;
});

export const rivals: readonly Trial[] = [...sameStep, ...otherSteps, ...overwriting, ...removing];
