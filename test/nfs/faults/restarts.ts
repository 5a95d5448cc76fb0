import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { MiB } from '../../support/bytes.js';
import type { Answer } from '../ordered_process.js';
import { server } from '../server.js';
import type { Trial } from '../trial.js';
import { atShare, publishing, stopAt, type Act, type Moment } from './moments.js';
import { errorOf, resultOf, type Saver } from './saver.js';
import { overAll, withSetting } from './setting.js';
import { expectWhole } from './whole.js';

const bytes = 32 * MiB;
/** So slow that all of it takes some three seconds. */
const megabitPerSecond = 80;
const away_ms = 4000;
/** Enough for what waits in a slow network, and soon over. */
const soft = ['soft', 'timeo=30', 'retrans=1'];

const saveMoments = [atShare(0), atShare(0.3), atShare(0.6), publishing];
const readMoments = [atShare(0), atShare(0.2), atShare(0.4)];

/** Away for a while. */
async function restartAt(moment: Moment, act: Act): Promise<Answer<unknown>> {
  try {
    const { answer } = await stopAt(moment, act);
    await sleep(away_ms);
    server.start();
    return await answer;
  } catch (error) {
    server.start();
    throw error;
  }
}

const saving = (saver: Saver, step: number): Act => (onTold) => saver.save({ step, bytes }, onTold);
const reading = (saver: Saver): Act => (onTold) => saver.read(onTold);

const hardSaves = overAll('server restarted in a save: it waits, and publishes', ['async', 'sync'], (version, exporting) =>
  withSetting(version, { clients: [1, 2], options: ['no_root_squash', exporting], megabitPerSecond }, async (setting) => {
    const [saver, other] = setting.savers as [Saver, Saver];
    const [root, otherRoot] = setting.roots as [string, string];
    resultOf(await saver.open(root));
    for (const [step, moment] of saveMoments.entries()) resultOf(await restartAt(moment, saving(saver, step)));
    assert.deepEqual(await expectWhole(otherRoot, other), [...saveMoments.keys()]);
    return saveMoments.map(({ name }) => name).join(', ');
  }),
);

const hardReads = overAll('server restarted in a restore: it waits, and reads what was saved', ['sync'], (version, exporting) =>
  withSetting(version, { options: ['no_root_squash', exporting], megabitPerSecond }, async ({ savers: [saver], roots }) => {
    resultOf(await saver!.open(roots[0]!));
    const { path } = resultOf(await saver!.save({ step: 1, bytes }));
    resultOf(await saver!.openCheckpoint(path));
    for (const moment of readMoments) resultOf(await restartAt(moment, reading(saver!)));
    return readMoments.map(({ name }) => name).join(', ');
  }),
);

/** Away until the client gives up. */
async function refuseAt(moment: Moment, act: Act): Promise<Answer<unknown>> {
  try {
    return await (await stopAt(moment, act)).answer;
  } finally {
    server.start();
  }
}

const lost = ['EIO', 'ETIMEDOUT'];
/** A server that goes may call what is there stale, as if it were deleted. */
const lostForNow = [...lost, 'ESTALE'];

const softSaves = overAll('server away in a save, soft mount: a coded error, then usable', ['async', 'sync'], (version, exporting) =>
  withSetting(
    version,
    { clients: [1, 2], options: ['no_root_squash', exporting], mountOptions: soft, megabitPerSecond },
    async ({ savers: [saver, other], roots }) => {
      resultOf(await saver!.open(roots[0]!));
      const told: string[] = [];
      for (const [index, moment] of saveMoments.entries()) {
        const answer = await refuseAt(moment, saving(saver!, 2 * index));
        // It may have been too late.
        if (moment === publishing && answer.error === undefined) continue;
        const codes = ['NOT_FOUND', ...(moment === publishing ? ['DURABILITY_UNKNOWN'] : [])];
        const { code, errno } = errorOf(answer, 'IO', ...codes);
        assert(lostForNow.includes(errno ?? ''), `${moment.name}: ${code} of ${errno}`);
        told.push(`${moment.name}: ${errno}`);
        resultOf(await saver!.save({ step: 2 * index + 1, bytes }));
      }
      const steps = await expectWhole(roots[1]!, other!);
      for (const [index] of saveMoments.entries()) assert(steps.includes(2 * index + 1));
      return told.join(', ');
    },
  ),
);

const softReads = overAll('server away in a restore, soft mount: a coded error, then usable', ['sync'], (version, exporting) =>
  withSetting(
    version,
    { options: ['no_root_squash', exporting], mountOptions: soft, megabitPerSecond },
    async ({ savers: [saver], roots }) => {
      resultOf(await saver!.open(roots[0]!));
      const { path } = resultOf(await saver!.save({ step: 1, bytes }));
      resultOf(await saver!.openCheckpoint(path));
      const told: string[] = [];
      for (const moment of readMoments) {
        const { errno, message } = errorOf(await refuseAt(moment, reading(saver!)), 'IO');
        assert(lost.includes(errno ?? ''), message);
        told.push(`${moment.name}: ${errno}`);
        resultOf(await saver!.read());
      }
      return told.join(', ');
    },
  ),
);

export const restarts: readonly Trial[] = [...hardSaves, ...hardReads, ...softSaves, ...softReads];
