import assert from 'node:assert/strict';
import { readdirSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MiB } from '../../support/bytes.js';
import type { Version } from '../server.js';
import type { Trial } from '../trial.js';
import { errorOf, resultOf, type OpenOrder } from './saver.js';
import { overAll, withSetting } from './setting.js';
import { expectWhole, leftoversIn } from './whole.js';

const KiB = 1024;
const bytes = 16 * MiB;
/** What is left for a save: nothing, some of the shard, all of it but nothing beside it, little too little, enough. */
const rooms = [0, 4 * KiB, 5 * MiB, bytes, bytes + 8 * KiB, bytes + 16 * KiB, bytes + 20 * KiB, bytes + 24 * KiB, bytes + 64 * KiB];

function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

/** Leaves so much. */
function fill(path: string, room: number): void {
  const filler = join(path, 'filler');
  rmSync(filler, { force: true });
  const free = freeBytes(path);
  const page = 4 * KiB;
  for (let left = free - room; left >= page; left = freeBytes(path) - room) {
    writeFileSync(filler, new Uint8Array(Math.min(left, 4 * MiB)), { flag: 'a' });
  }
}

async function fillUp(version: Version, exporting: string, options: OpenOrder): Promise<string> {
  const space = { bytes: 64 * MiB, options: ['no_root_squash', exporting] };
  return await withSetting(version, space, async ({ exported: { path }, roots: [root], savers: [saver] }) => {
    resultOf(await saver!.open(root!, options));
    resultOf(await saver!.save({ step: 0, bytes: MiB }));
    let failed = 0;
    for (const room of rooms) {
      fill(path, room);
      const answer = await saver!.save({ step: 1, bytes });
      if (answer.error === undefined) {
        resultOf(await saver!.remove(root!, 1));
      } else {
        failed += 1;
        const { message } = errorOf(answer, 'NO_SPACE');
        assert.match(message, /removeCheckpoint/);
        assert.deepEqual(leftoversIn(path), [], `${room} bytes: something was left.`);
        assert(!readdirSync(path).some((name) => name.startsWith('step-0000000001')), `${room} bytes: published.`);
      }
    }
    truncateSync(join(path, 'filler'), 0);
    resultOf(await saver!.save({ step: 1, bytes }));
    assert.deepEqual(await expectWhole(root!, saver!), [0, 1]);
    assert(failed >= 4 && failed < rooms.length, `${failed} of ${rooms.length} saves failed.`);
    return `${failed} of ${rooms.length} saves found no room`;
  });
}

const exportings = ['async', 'sync'];
const direct = overAll('the export is full, direct writes', exportings, (version, exporting) => fillUp(version, exporting, {}));
const pwrite = overAll('the export is full, direct writes by pwrite', ['sync'], (version, exporting) =>
  fillUp(version, exporting, { engine: 'pwrite' }),
);
const buffered = overAll('the export is full, buffered writes', exportings, (version, exporting) =>
  fillUp(version, exporting, { direct: false }),
);

export const full: readonly Trial[] = [...direct, ...pwrite, ...buffered];
