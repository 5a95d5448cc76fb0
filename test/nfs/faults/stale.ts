import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { MiB } from '../../support/bytes.js';
import type { Trial } from '../trial.js';
import { atShare, during, publishing, type Act, type Moment } from './moments.js';
import { errorOf, resultOf, type Saver } from './saver.js';
import { overAll, withSetting } from './setting.js';
import { expectWhole } from './whole.js';

const bytes = 32 * MiB;
const megabitPerSecond = 80;

function partialIn(root: string): string {
  const name = readdirSync(root).find((each) => each.endsWith('.partial'));
  assert(name !== undefined, 'There is no save under way.');
  return join(root, name);
}

/** What somebody does on the server, unseen by the client. */
interface Deed {
  readonly name: string;
  readonly moment: Moment;
  /** @param root as the server has it */
  readonly deed: (root: string) => void;
  /** What the save fails with. */
  readonly codes: readonly string[];
}

/** @param path of a checkpoint, or of what is to become one */
function removeShardsOf(path: string): void {
  for (const name of readdirSync(path)) if (name.endsWith('.safetensors')) rmSync(join(path, name));
}

const removeShards = (root: string): void => {
  removeShardsOf(partialIn(root));
};
const removePartial = (root: string): void => {
  rmSync(partialIn(root), { recursive: true });
};
const takePartial = (root: string): void => {
  renameSync(partialIn(root), join(root, '.dead-0123456789abcdef'));
};
const removeRanks = (root: string): void => {
  rmSync(join(partialIn(root), 'ranks'), { recursive: true });
};

const deeds: readonly Deed[] = [
  { name: 'the shard', moment: atShare(0.3), deed: removeShards, codes: ['GIVEN_UP'] },
  { name: 'the directory of the save', moment: atShare(0.3), deed: removePartial, codes: ['GIVEN_UP'] },
  { name: 'the directory of the save, late', moment: atShare(0.7), deed: removePartial, codes: ['GIVEN_UP'] },
  { name: 'the directory of the save, publishing', moment: publishing, deed: removePartial, codes: ['GIVEN_UP'] },
  { name: 'the directory of the save, by a rename', moment: atShare(0.3), deed: takePartial, codes: ['GIVEN_UP'] },
  { name: 'the directory in it', moment: atShare(0.3), deed: removeRanks, codes: ['GIVEN_UP'] },
];

const saving = (saver: Saver, step: number): Act => (onTold) => saver.save({ step, bytes }, onTold);

const deletedInSaves = overAll('deleted on the server in a save: a coded error, then usable', ['sync'], (version, exporting) =>
  withSetting(version, { options: ['no_root_squash', exporting], megabitPerSecond }, async (setting) => {
    const { exported, savers: [saver], roots: [root] } = setting;
    resultOf(await saver!.open(root!));
    const told: string[] = [];
    for (const [index, { name, moment, deed, codes }] of deeds.entries()) {
      const begun = await during(moment, saving(saver!, index), () => { deed(exported.path); });
      const answer = await begun.answer;
      if (answer.error === undefined && deed === removeShards) {
        // A server of NFS 4 keeps what a client has open, as a local file system does: readers see what is missing.
        errorOf(await saver!.latest(root!), 'NOT_FOUND');
        resultOf(await saver!.remove(root!, index));
      } else {
        const { code, errno } = errorOf(answer, ...codes);
        told.push(`${name}: ${errno ?? code}`);
      }
      assert(!readdirSync(exported.path).includes(`step-000000000${index}`), `Step ${index} was published.`);
      resultOf(await saver!.save({ step: index, bytes: 3 * MiB }));
    }
    assert.deepEqual(await expectWhole(root!, saver!), [...deeds.keys()]);
    return told.join(', ');
  }),
);

/** The root itself is a folder of the mount, so that it can be deleted. */
const deletedRoot = overAll('the root deleted, or replaced, on the server: says so; another writer saves', ['sync'], (version, exporting) =>
  withSetting(version, { options: ['no_root_squash', exporting], megabitPerSecond }, async (setting) => {
    const { exported, savers: [saver], roots: [mount] } = setting;
    const told: string[] = [];
    for (const moment of [undefined, atShare(0.3), publishing]) {
      for (const replaced of [false, true]) {
        mkdirSync(join(exported.path, 'root'), { recursive: true });
        const root = join(mount!, 'root');
        resultOf(await saver!.open(root));
        resultOf(await saver!.save({ step: 1, bytes: MiB }));
        const deed = (): void => {
          rmSync(join(exported.path, 'root'), { recursive: true });
          if (replaced) mkdirSync(join(exported.path, 'root'));
        };
        if (moment === undefined) deed();
        const { answer } =
          moment === undefined ? { answer: saver!.save({ step: 2 }) } : await during(moment, saving(saver!, 2), deed);
        const { code, errno, message } = errorOf(await answer, 'NOT_FOUND', 'DURABILITY_UNKNOWN', 'GIVEN_UP');
        told.push(`${moment?.name ?? 'before'}: ${errno ?? code}`);
        assert(message.includes('another writer') || message.includes('deleted'), message);
        await saver!.close();
        mkdirSync(join(exported.path, 'root'), { recursive: true });
        resultOf(await saver!.open(root));
        resultOf(await saver!.save({ step: 2, bytes: MiB }));
        assert.deepEqual(await expectWhole(root, saver!), [2]);
        resultOf(await saver!.close());
        rmSync(join(exported.path, 'root'), { recursive: true });
      }
    }
    return told.join(', ');
  }),
);

interface Taken {
  readonly name: string;
  /** @param path of the checkpoint, as the server has it */
  readonly deed: (path: string) => void;
  readonly code: string;
}

const taken: readonly Taken[] = [
  { name: 'deleted', deed: (path) => { rmSync(path, { recursive: true }); }, code: 'NOT_FOUND' },
  { name: 'its shard deleted', deed: removeShardsOf, code: 'CORRUPT' },
  {
    name: 'replaced by a copy of itself',
    deed: (path) => {
      cpSync(path, `${path}.copy`, { recursive: true });
      rmSync(path, { recursive: true });
      renameSync(`${path}.copy`, path);
    },
    code: 'NOT_FOUND',
  },
];

const deletedInReads = overAll('deleted on the server in a restore: a coded error, then usable', ['sync'], (version, exporting) =>
  withSetting(version, { options: ['no_root_squash', exporting], megabitPerSecond }, async (setting) => {
    const { exported, savers: [saver], roots: [root] } = setting;
    const told: string[] = [];
    for (const { name, deed, code } of taken) {
      resultOf(await saver!.open(root!));
      const { path } = resultOf(await saver!.save({ step: 1, bytes }));
      resultOf(await saver!.close());
      resultOf(await saver!.openCheckpoint(path));
      const begun = await during(atShare(0.2), (onTold) => saver!.read(onTold), () => {
        deed(join(exported.path, basename(path)));
      });
      const { errno } = errorOf(await begun.answer, code);
      told.push(`${name}: ${errno ?? ''} ${code}`);
      resultOf(await saver!.closeCheckpoint());
      rmSync(join(exported.path, basename(path)), { recursive: true, force: true });
      resultOf(await saver!.open(root!));
      resultOf(await saver!.save({ step: 1, bytes: MiB }));
      assert.deepEqual(await expectWhole(root!, saver!), [1]);
      resultOf(await saver!.remove(root!, 1));
      resultOf(await saver!.close());
    }
    return told.join(', ');
  }),
);

export const stale: readonly Trial[] = [...deletedInSaves, ...deletedRoot, ...deletedInReads];
