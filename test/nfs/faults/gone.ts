import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { MiB } from '../../support/bytes.js';
import { server } from '../server.js';
import type { Trial } from '../trial.js';
import { atShare, publishing, stopAt, type Moment } from './moments.js';
import { errorOf, resultOf, Saver } from './saver.js';
import { overAll, withSetting } from './setting.js';
import { expectWhole } from './whole.js';

const bytes = 32 * MiB;
const megabitPerSecond = 80;
const deadlineMs = 8000;
const abortedAfter_ms = 6000;

/** Of `pwrite`, what waits for the server is ended with its process; what a ring holds, the kernel waits for. */
type Engine = 'pwrite' | 'io_uring';

/** For good, as far as the process can tell that saves: nothing answers until it has ended, or is all but its ring. */
async function saveWithoutEnd(root: string, moment: Moment, engine: Engine): Promise<void> {
  const saver = new Saver();
  try {
    resultOf(await saver.open(root, { deadlineMs, engine }));
    const { answer } = await stopAt(moment, (onTold) => saver.save({ step: 1, bytes }, onTold));
    errorOf(await answer, 'DEADLINE');
    // The grace that a device has passes before the writer is given up.
    resultOf(await saver.close());
    if (engine === 'pwrite') await saver.exit();
  } finally {
    server.start();
    await saver.kill();
  }
}

const deadlines = (['pwrite', 'io_uring'] as const).flatMap((engine) =>
  overAll(`server gone for good, ${engine}: fails at its deadline, closes, ends`, ['sync'], (version, exporting) =>
    withSetting(version, { options: ['no_root_squash', exporting], megabitPerSecond }, async ({ roots: [root], savers }) => {
      const [saver] = savers;
      const moments = [atShare(0), atShare(0.5), publishing];
      for (const moment of moments) {
        await saveWithoutEnd(root!, moment, engine);
        resultOf(await saver!.open(root!));
        resultOf(await saver!.save({ step: 2, bytes: 3 * MiB, overwrite: true }));
        resultOf(await saver!.close());
        await expectWhole(root!, saver!);
      }
      return moments.map(({ name }) => name).join(', ');
    }),
  ),
);

const again = overAll('server gone beyond the deadline, and back: another writer of the process saves', ['async'], (version, exporting) =>
  withSetting(version, { options: ['no_root_squash', exporting], megabitPerSecond }, async ({ roots: [root], savers: [saver] }) => {
    resultOf(await saver!.open(root!, { deadlineMs }));
    try {
      const { answer } = await stopAt(atShare(0.5), (onTold) => saver!.save({ step: 1, bytes }, onTold));
      errorOf(await answer, 'DEADLINE');
    } finally {
      server.start();
    }
    resultOf(await saver!.close());
    resultOf(await saver!.open(root!, { deadlineMs: 60_000 }));
    resultOf(await saver!.save({ step: 1, bytes }));
    assert.deepEqual(await expectWhole(root!, saver!), [1]);
    return '';
  }),
);

const aborted = overAll('server gone in a restore, which is aborted: it ends when what is in flight does', ['sync'], (version, exporting) =>
  withSetting(version, { options: ['no_root_squash', exporting], megabitPerSecond }, async ({ roots: [root], savers: [saver] }) => {
    resultOf(await saver!.open(root!));
    const { path } = resultOf(await saver!.save({ step: 1, bytes }));
    resultOf(await saver!.openCheckpoint(path));
    try {
      const begun = await stopAt(atShare(0.2), (onTold) => saver!.read(onTold, abortedAfter_ms));
      await sleep(abortedAfter_ms);
      server.start();
      const { error } = await begun.answer;
      assert.equal(error?.code, 'TimeoutError', error?.message);
    } catch (error) {
      server.start();
      throw error;
    }
    resultOf(await saver!.read());
    return '';
  }),
);

export const gone: readonly Trial[] = [...deadlines, ...again, ...aborted];
