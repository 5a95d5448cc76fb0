import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MiB } from '../../support/bytes.js';
import type { Trial } from '../trial.js';
import { errorOf, resultOf, type Saver } from './saver.js';
import { overAll, withSetting } from './setting.js';
import { expectWhole } from './whole.js';

const nobody = 65534;
const someone = 1234;
const bytes = 3 * MiB;

interface Place {
  /** Below the mount; and as the server has it. */
  readonly root: string;
  readonly path: string;
  readonly saver: Saver;
}

/** A directory of this owner and mode, on an export that takes root for nobody. */
function withRoot(name: string, owner: number, mode: number, work: (place: Place) => Promise<string>): Trial[] {
  return overAll(`root squash: ${name}`, ['sync'], (version, exporting) =>
    withSetting(version, { options: ['root_squash', exporting] }, async ({ exported, roots: [mount], savers: [saver] }) => {
      const path = join(exported.path, 'root');
      mkdirSync(path);
      chownSync(path, owner, owner);
      chmodSync(path, mode);
      return await work({ root: join(mount!, 'root'), path, saver: saver! });
    }),
  );
}

/** It says what to do. */
function expectAdvice(message: string): void {
  assert.match(message, /owner and the mode/);
  assert.match(message, /root_squash/);
}

const readOnly = withRoot('a root that nobody may write', 0, 0o755, async ({ root, path, saver }) => {
  resultOf(await saver.open(root));
  for (const step of [1, 2]) {
    const { errno, message } = errorOf(await saver.save({ step, bytes }), 'PERMISSION');
    assert.equal(errno, 'EACCES');
    expectAdvice(message);
  }
  chmodSync(path, 0o777);
  resultOf(await saver.save({ step: 3, bytes }));
  assert.deepEqual(await expectWhole(root, saver), [3]);
  return 'EACCES; then it is allowed, and the same writer saves';
});

const hidden = withRoot('a root that nobody may read', 0, 0o700, async ({ root, saver }) => {
  expectAdvice(errorOf(await saver.open(root), 'PERMISSION').message);
  expectAdvice(errorOf(await saver.latest(root), 'PERMISSION').message);
  return 'refused as it is opened';
});

const own = withRoot('a root of nobody', nobody, 0o755, async ({ root, path, saver }) => {
  resultOf(await saver.open(root));
  for (const step of [1, 2]) resultOf(await saver.save({ step, bytes }));
  resultOf(await saver.save({ step: 2, bytes, overwrite: true }));
  resultOf(await saver.remove(root, 1));
  assert.deepEqual(await expectWhole(root, saver), [2]);
  for (const name of readdirSync(path)) assert.equal(statSync(join(path, name)).uid, nobody);
  return 'saves, replaces, removes';
});

/** As another user's writer leaves it, whose files nobody may change. */
function leave(path: string, name: string): string {
  const partial = join(path, name);
  mkdirSync(join(partial, 'ranks'), { recursive: true });
  writeFileSync(join(partial, 'model.safetensors'), 'half');
  for (const each of [join(partial, 'model.safetensors'), join(partial, 'ranks'), partial]) chownSync(each, someone, someone);
  return partial;
}

const sticky = withRoot('a shared root with the sticky bit, and what another user left', 0, 0o1777, async ({ root, path, saver }) => {
  const left = ['.step-0000000001.0123456789abcdef.partial', '.dead-0123456789abcdef'];
  for (const name of left) leave(path, name);
  resultOf(await saver.open(root));
  resultOf(await saver.save({ step: 1, bytes }));
  for (const name of left) assert(readdirSync(path).includes(name), `${name} is gone.`);
  assert.deepEqual(await expectWhole(root, saver), [1]);
  return 'what is theirs stays, and blocks nothing';
});

const foreign = withRoot('a checkpoint of another user', 0, 0o1777, async ({ root, path, saver }) => {
  resultOf(await saver.open(root));
  resultOf(await saver.save({ step: 1, bytes }));
  const step = join(path, readdirSync(path).find((name) => name.startsWith('step-'))!);
  for (const name of ['', ...readdirSync(step, { recursive: true, encoding: 'utf8' })]) chownSync(join(step, name), someone, someone);
  assert.deepEqual(await expectWhole(root, saver), [1]);
  expectAdvice(errorOf(await saver.remove(root, 1), 'PERMISSION').message);
  resultOf(await saver.save({ step: 1, bytes, overwrite: true }));
  assert.equal(resultOf(await saver.latest(root)).step, 1);
  assert.equal(readdirSync(path).length, 2);
  for (const name of readdirSync(step)) if (name.endsWith('.safetensors')) chmodSync(join(step, name), 0o600);
  renameSync(join(path, 'step-0000000001.g2'), join(path, 'step-0000000000'));
  resultOf(await saver.openCheckpoint(join(root, 'step-0000000001')));
  expectAdvice(errorOf(await saver.read(), 'PERMISSION').message);
  return 'read; replaced, not removed; where it may not be read: EACCES';
});

export const permission: readonly Trial[] = [...readOnly, ...hidden, ...own, ...sticky, ...foreign];
