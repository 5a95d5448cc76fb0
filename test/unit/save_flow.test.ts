import { getEventListeners } from 'node:events';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { CheckpointWriter } from '../../lib/save/writer.js';
import { nativeError, resetFakeBinding, type FakeBinding } from '../support/fake_binding.js';
import { expectNoUnhandledRejections, quiet } from '../support/promises.js';

vi.mock('../../lib/binding.js', () => import('../support/fake_binding.js'));

const tensors = { weight: new Float32Array(4) };
let fake: FakeBinding;
let writer: CheckpointWriter;

expectNoUnhandledRejections();

beforeEach(async () => {
  fake = resetFakeBinding();
  writer = await CheckpointWriter.open('/runs');
});

describe('a save', () => {
  it('stages at once, then writes, syncs, publishes and tells', async () => {
    const save = writer.save({ step: 5, tensors, files: { 'config.json': '{}' } });
    expect(fake.transfers).toHaveLength(1);
    const published = await save;
    expect(published).toMatchObject({
      path: '/runs/step-0000000005',
      step: 5,
      files: ['model-00001-of-00001.safetensors'],
      engine: 'io_uring',
      direct: 'yes',
    });
    expect(published.timings.stagedSeconds).toBeGreaterThanOrEqual(1);
    expect(published.digest).toMatch(/^[0-9a-f]{32}$/);
    expect([...fake.tree.keys()].sort()).toEqual(
      [
        'step-0000000005',
        'step-0000000005/config.json',
        'step-0000000005/manifest.json',
        'step-0000000005/model-00001-of-00001.safetensors',
        'step-0000000005/model.safetensors.index.json',
        'step-0000000005/ranks',
        'step-0000000005/ranks/00000.digests',
        'step-0000000005/ranks/00000.json',
      ].sort(),
    );
    const order = fake.calls.map((call) => call.split(' ')[0]).slice(3);
    expect(order.filter((call) => call !== 'list')).toEqual(
      ['startTransfer', 'makeDirectory', 'makeDirectory', 'openFiles', 'createFiles', 'writeFiles', 'syncDirectories', 'rename', 'syncDirectories'],
    );
    await writer.close();
  });

  it('stages ahead of its turn, and touches the store only when the save before it has ended', async () => {
    fake.onOpen = () => undefined;
    const saves = [1, 2, 3].map((step) => writer.save({ step, tensors }));
    expect(fake.transfers).toHaveLength(3);
    await quiet();
    expect(fake.transfers.map((transfer) => transfer.opened !== undefined)).toEqual([true, false, false]);
    fake.transfers[0]!.fail(nativeError('system', 'EIO', 'write'));
    await expect(saves[0]).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_IO' });
    await quiet();
    expect(fake.transfers.map((transfer) => transfer.opened !== undefined)).toEqual([true, true, false]);
    fake.transfers[1]!.finish();
    fake.onOpen = (transfer) => {
      transfer.finish();
    };
    await saves[1];
    await saves[2];
    expect(fake.names()).toEqual(['step-0000000002', 'step-0000000003']);
  });

  it('fails with what made the transfer fail, when that was before its turn', async () => {
    fake.onOpen = () => undefined;
    const first = writer.save({ step: 1, tensors });
    const second = writer.save({ step: 2, tensors });
    fake.transfers[1]!.fail(nativeError('source-detached'));
    await expect(second.staged).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_SOURCE_DETACHED' });
    await expect(second).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_SOURCE_DETACHED' });
    await quiet();
    fake.transfers[0]!.finish();
    await first;
  });

  it('fails when a source was taken away, though native did not notice', async () => {
    fake.onOpen = () => undefined;
    const data = new Float32Array(4);
    const save = writer.save({ step: 1, tensors: { data } });
    structuredClone(data, { transfer: [data.buffer] });
    fake.transfers[0]!.stage();
    await expect(save).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_SOURCE_DETACHED' });
    await expect(save.staged).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_SOURCE_DETACHED' });
    expect(fake.transfers[0]!.aborted).toBe(true);
    expect(fake.names()).toEqual([]);
  });

  it.each([
    ['makeDirectory', 'EMFILE', 'ERR_SNAPSHARD_TOO_MANY_FILES'],
    ['writeFiles', 'ENOSPC', 'ERR_SNAPSHARD_NO_SPACE'],
    ['syncDirectories', 'EIO', 'ERR_SNAPSHARD_IO'],
    ['rename', 'EROFS', 'ERR_SNAPSHARD_READ_ONLY'],
  ])('takes everything back when %s says %s', async (operation, errno, code) => {
    fake.failNext(operation, errno);
    const save = writer.save({ step: 1, tensors });
    await expect(save).rejects.toMatchObject({ code, errno });
    expect(fake.names()).toEqual([]);
    await writer.save({ step: 1, tensors });
    await writer.close();
  });

  it('says how many bytes it needs when there is no space', async () => {
    fake.onOpen = (transfer) => {
      transfer.fail(nativeError('system', 'ENOSPC', 'fallocate', '.step-1/model'));
    };
    await expect(writer.save({ step: 1, tensors })).rejects.toMatchObject({
      code: 'ERR_SNAPSHARD_NO_SPACE',
      path: '/runs/.step-1/model',
      message: expect.stringContaining('needs 4112 bytes') as string,
    });
  });

  it('hides what it replaces before it tells, and deletes it after', async () => {
    await writer.save({ step: 1, tensors });
    await writer.save({ step: 1, tensors, overwrite: true });
    expect(fake.names().filter((name) => !name.startsWith('.dead'))).toEqual(['step-0000000001.g2']);
    await writer.close();
    expect(fake.names()).toEqual(['step-0000000001.g2']);
  });

  it('is published even if what it replaces cannot be removed', async () => {
    await writer.save({ step: 1, tensors });
    fake.failNext('rename', 'EIO', /dead/);
    await writer.save({ step: 1, tensors, overwrite: true });
    expect(fake.names()).toEqual(['step-0000000001', 'step-0000000001.g2']);
    await writer.close();
  });
});

describe('abort', () => {
  it('with a signal aborted before: starts nothing', async () => {
    const save = writer.save({ step: 1, tensors }, { signal: AbortSignal.abort('no') });
    await expect(save.staged).rejects.toBe('no');
    await expect(save).rejects.toBe('no');
    expect(fake.transfers).toHaveLength(0);
  });

  it.each(['before its turn', 'before staged', 'after staged', 'while the directory is made'])('%s', async (when) => {
    fake.onOpen = () => undefined;
    const controller = new AbortController();
    const reason = { why: when };
    const first = when === 'before its turn' ? writer.save({ step: 9, tensors }) : undefined;
    const save = writer.save({ step: 1, tensors }, { signal: controller.signal });
    const transfer = fake.transfers.at(-1)!;
    if (when !== 'while the directory is made') await quiet();
    if (when === 'after staged') {
      transfer.stage();
      await save.staged;
    }
    controller.abort(reason);
    await expect(save).rejects.toBe(reason);
    expect(fake.names().filter((name) => name.includes('0000000001'))).toEqual([]);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    await quiet();
    fake.transfers[0]!.finish();
    await first;
  });

  it('has no effect once the manifests are handed in', async () => {
    const controller = new AbortController();
    vi.spyOn(fake, 'writeFiles').mockImplementationOnce((...call) => {
      controller.abort();
      return fake.writeFiles(...call);
    });
    await writer.save({ step: 1, tensors }, { signal: controller.signal });
    expect(fake.names()).toEqual(['step-0000000001']);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  it('leaves no listener behind when the save succeeds', async () => {
    const controller = new AbortController();
    await writer.save({ step: 1, tensors }, { signal: controller.signal });
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  it('shares the signal of other saves, twenty at once, and leaves nothing on it', async () => {
    const warned: Error[] = [];
    const onWarning = (warning: Error): unknown => warned.push(warning);
    process.on('warning', onWarning);
    const { signal } = new AbortController();
    const saves = Array.from({ length: 20 }, (_, step) => writer.save({ step, tensors }, { signal }));
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await Promise.all(saves);
    process.off('warning', onWarning);
    expect(warned).toEqual([]);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('is aborted with all others that share its signal, until each has ended', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    await writer.save({ step: 1, tensors }, { signal });
    fake.onOpen = () => undefined;
    const saves = [2, 3, 4].map((step) => writer.save({ step, tensors }, { signal }));
    controller.abort();
    const settled = await Promise.allSettled(saves);
    expect(settled.map((each) => each.status === 'rejected' && each.reason === signal.reason)).toEqual([true, true, true]);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});
