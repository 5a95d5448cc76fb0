import { beforeEach, describe, expect, it, vi } from 'vitest';
import { NativeStore } from '../../lib/store/native_store.js';
import { newNonce } from '../../lib/store/nonce.js';
import { giveUp, preparePartial, publish, type PartialCheckpoint, type Published } from '../../lib/store/publish.js';
import { removeCheckpoint } from '../../lib/store/remove_checkpoint.js';
import { sweepLeftovers } from '../../lib/store/sweep.js';
import { nativeError, resetFakeBinding, type FakeBinding } from '../support/fake_binding.js';

vi.mock('../../lib/binding.js', () => import('../support/fake_binding.js'));

const manifest = Buffer.from('{"digest":"ours"}\n');
const lostAnswers = ['EIO', 'ETIMEDOUT', 'ENOENT', 'EEXIST'];
let fake: FakeBinding;
let store: NativeStore;

async function prepared(step: number, overwrite = false): Promise<PartialCheckpoint> {
  const { partial, made } = preparePartial(store, step, overwrite, newNonce());
  await made;
  return partial;
}

function handIn(partial: PartialCheckpoint, overwrite = false): Promise<Published> {
  const files = [{ path: 'manifest.json', contents: manifest }];
  return publish(store, partial, { files, manifest, overwrite, check: () => undefined });
}

function publishedByAnother(name: string): void {
  fake.tree.set(name, undefined);
  fake.tree.set(`${name}/manifest.json`, Buffer.from('{"digest":"theirs"}\n'));
}

beforeEach(async () => {
  fake = resetFakeBinding();
  store = await NativeStore.open('/runs');
});

describe('publish', () => {
  it('renames, then syncs the root', async () => {
    const partial = await prepared(7);
    expect(partial.path).toMatch(/^\.step-0000000007\.[0-9a-f]{28}\.partial$/);
    expect(fake.held.has(partial.path)).toBe(true);
    expect(await handIn(partial)).toEqual({ name: 'step-0000000007', superseded: [] });
    expect(fake.names()).toEqual(['step-0000000007']);
    expect(fake.calls.slice(-2)).toEqual([`rename ${partial.path} step-0000000007`, 'syncDirectories .']);
  });

  it('refuses a step that is there', async () => {
    publishedByAnother('step-0000000007.g3');
    const { partial, made } = preparePartial(store, 7, false, newNonce());
    await expect(made).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_STEP_EXISTS' });
    await giveUp(store, partial);
    expect(fake.names()).toEqual(['step-0000000007.g3']);
  });

  it('refuses to publish behind a generation that leaves no room, where nobody would find it', async () => {
    publishedByAnother(`step-0000000007.g${Number.MAX_SAFE_INTEGER}`);
    const { made } = preparePartial(store, 7, true, newNonce());
    await expect(made).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_STEP_EXISTS' });
    const partial = await prepared(8, true);
    publishedByAnother(`step-0000000008.g${Number.MAX_SAFE_INTEGER}`);
    await expect(handIn(partial, true)).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_STEP_EXISTS' });
    publishedByAnother(`step-0000000009.g${Number.MAX_SAFE_INTEGER - 1}`);
    expect((await handIn(await prepared(9, true), true)).name).toBe(`step-0000000009.g${Number.MAX_SAFE_INTEGER}`);
  });

  it('refuses a step that another process published meanwhile', async () => {
    const partial = await prepared(7);
    publishedByAnother('step-0000000007');
    await expect(handIn(partial)).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_STEP_EXISTS' });
    expect(fake.names()).toContain(partial.path);
  });

  it('refuses it when the name was taken between the look and the rename', async () => {
    const partial = await prepared(7);
    fake.failNext('rename', 'EEXIST');
    await expect(handIn(partial)).rejects.toMatchObject({
      code: 'ERR_SNAPSHARD_STEP_EXISTS',
      path: '/runs/step-0000000007',
    });
  });

  it('publishes the next generation, and tells which are superseded', async () => {
    publishedByAnother('step-0000000007');
    publishedByAnother('step-0000000007.g4');
    publishedByAnother('step-0000000008');
    const partial = await prepared(7, true);
    expect(await handIn(partial, true)).toEqual({
      name: 'step-0000000007.g5',
      superseded: ['step-0000000007', 'step-0000000007.g4'],
    });
  });

  it('tries the generation after, when another writer replaced the step at the same time', async () => {
    publishedByAnother('step-0000000007');
    const partial = await prepared(7, true);
    fake.failNext('rename', 'ENOTEMPTY');
    fake.failNext('rename', 'EEXIST');
    expect((await handIn(partial, true)).name).toBe('step-0000000007.g2');
  });

  it.each(lostAnswers)('recognises its own checkpoint when the rename was done and answered %s', async (errno) => {
    const partial = await prepared(7);
    fake.failNext('rename', errno, /partial/, true);
    expect((await handIn(partial)).name).toBe('step-0000000007');
  });

  it('does not know, and says of what, when it cannot look at what became of the rename', async () => {
    const partial = await prepared(7);
    const check = (): void => {
      fake.failNext('rename', 'ENOTCONN');
      fake.failNext('list', 'EIO');
    };
    await expect(publish(store, partial, { files: [], manifest, overwrite: false, check })).rejects.toMatchObject({
      code: 'ERR_SNAPSHARD_DURABILITY_UNKNOWN',
      errno: 'ENOTCONN',
      syscall: 'rename',
    });
  });

  it('says what the system said when the rename was not done', async () => {
    const partial = await prepared(7);
    fake.failNext('rename', 'EIO');
    await expect(handIn(partial)).rejects.toMatchObject({
      code: 'ERR_SNAPSHARD_IO',
      errno: 'EIO',
      syscall: 'rename',
    });
  });

  it('knows when another process gave it up', async () => {
    const partial = await prepared(7);
    await store.rename(partial.path, '.dead-0');
    await expect(handIn(partial)).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_GIVEN_UP' });
    const other = await prepared(8);
    await store.rename(other.path, '.dead-1');
    fake.failNext('list', 'EIO', /^$/);
    await expect(handIn(other)).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_IO' });
  });

  it('does not take the checkpoint of another process for its own', async () => {
    const partial = await prepared(7);
    await store.rename(partial.path, '.dead-0');
    vi.spyOn(fake, 'rename').mockImplementationOnce(() => {
      publishedByAnother('step-0000000007');
      return Promise.reject(nativeError('system', 'ENOENT', 'renameat2'));
    });
    await expect(handIn(partial)).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_GIVEN_UP' });
  });

  it('claims neither success nor failure when it cannot look', async () => {
    const partial = await prepared(7);
    const attempt = handIn(partial);
    await new Promise((resolve) => setImmediate(resolve));
    fake.failNext('rename', 'ESTALE', /partial/, true);
    fake.failNext('list', 'ESTALE');
    await expect(attempt).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_DURABILITY_UNKNOWN' });
  });

  it('says that durability is unknown when the sync of the root fails', async () => {
    const partial = await prepared(7);
    fake.failNext('syncDirectories', 'EIO', /^\.$/);
    await expect(handIn(partial)).rejects.toMatchObject({
      code: 'ERR_SNAPSHARD_DURABILITY_UNKNOWN',
      errno: 'EIO',
      path: '/runs/step-0000000007',
    });
    expect(fake.names()).toEqual(['step-0000000007']);
  });
});

describe('give up', () => {
  it('leaves nothing', async () => {
    await giveUp(store, await prepared(7));
    expect(fake.names()).toEqual([]);
  });

  it('never fails, and leaves a name that anyone may remove', async () => {
    const partial = await prepared(7);
    fake.failNext('removeTree', 'EIO');
    await giveUp(store, partial);
    expect(fake.names()).toEqual([`.dead-${partial.nonce}`]);
    await sweepLeftovers(store);
    expect(fake.names()).toEqual([]);
  });

  it.each(['EIO', 'EACCES', 'ENOSPC'])('removes what it cannot rename (%s)', async (errno) => {
    const partial = await prepared(7);
    fake.failNext('rename', errno);
    await giveUp(store, partial);
    expect(fake.names()).toEqual([]);
  });

  it('takes back a directory that it could make only in part', async () => {
    fake.failNext('makeDirectory', 'ENOSPC', /ranks/);
    const { partial, made } = preparePartial(store, 7, false, newNonce());
    await expect(made).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_NO_SPACE' });
    await giveUp(store, partial);
    expect(fake.names()).toEqual([]);
  });
});

describe('sweep', () => {
  it('removes what nobody holds, and nothing else', async () => {
    const alive = await prepared(1);
    const died = await prepared(2);
    fake.held.delete(died.path);
    fake.tree.set('.dead-0123', undefined);
    fake.tree.set('.dead-0123/rest', new Uint8Array(1));
    fake.tree.set('.step-0000000003.UPPER.partial', undefined);
    fake.tree.set('notes.txt', new Uint8Array(1));
    publishedByAnother('step-0000000004');
    await sweepLeftovers(store);
    expect(fake.names()).toEqual(
      [alive.path, '.step-0000000003.UPPER.partial', 'notes.txt', 'step-0000000004'].sort(),
    );
  });

  it('does what it can when the system fails', async () => {
    fake.tree.set('.dead-0', undefined);
    fake.tree.set('.dead-1', undefined);
    fake.failNext('removeTree', 'EROFS');
    await sweepLeftovers(store);
    expect(fake.names()).toEqual(['.dead-0']);
    fake.failNext('list', 'EIO');
    await sweepLeftovers(store);
  });
});

describe('removeCheckpoint', () => {
  it('takes all generations away, oldest first, and syncs before it deletes', async () => {
    publishedByAnother('step-0000000007.g2');
    publishedByAnother('step-0000000007');
    publishedByAnother('step-0000000070');
    await removeCheckpoint('/runs', 7);
    expect(fake.names()).toEqual(['step-0000000070']);
    const steps = fake.calls.filter((call) => /^(rename|syncDirectories|removeTree)/.test(call));
    expect(steps.map((call) => call.split(' ').slice(0, 2).join(' ').replace(/dead-.*/, 'dead'))).toEqual([
      'rename step-0000000007',
      'rename step-0000000007.g2',
      'syncDirectories .',
      'removeTree .dead',
      'removeTree .dead',
    ]);
    expect(fake.calls.at(-1)).toBe('closeStore');
  });

  it('leaves to a later sweep what is busy', async () => {
    publishedByAnother('step-0000000007');
    fake.failNext('removeTree', 'EBUSY');
    await removeCheckpoint('/runs', 7);
    expect(fake.names()).toEqual([expect.stringMatching(/^\.dead-/)]);
  });

  it('says so when there is none, and names a wrong argument', async () => {
    await expect(removeCheckpoint('/runs', 7)).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_NOT_FOUND' });
    await expect(removeCheckpoint('/runs', -1)).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_INVALID_ARGUMENT' });
    await expect(removeCheckpoint('', 1)).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_INVALID_ARGUMENT' });
  });
});
