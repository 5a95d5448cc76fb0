import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CheckpointWriter } from '../../lib/save/writer.js';
import { nativeError, resetFakeBinding, type FakeBinding } from '../support/fake_binding.js';
import { ended, expectNoUnhandledRejections, quiet } from '../support/promises.js';

vi.mock('../../lib/binding.js', () => import('../support/fake_binding.js'));

const tensors = { weight: new Float32Array(4) };
let fake: FakeBinding;
let writer: CheckpointWriter;

expectNoUnhandledRejections();

beforeEach(async () => {
  fake = resetFakeBinding();
  writer = await CheckpointWriter.open('/runs');
});

describe('close', () => {
  it('waits for saves, gives everything back, and refuses what comes after', async () => {
    fake.onOpen = () => undefined;
    const save = writer.save({ step: 1, tensors });
    const closing = writer.close();
    expect(writer.close()).toBe(closing);
    expect(await ended(closing)).toBe(false);
    fake.transfers[0]!.finish();
    await closing;
    await save;
    expect(fake.calls.slice(-2)).toEqual(['closeStaging', 'closeStore']);
    expect(() => writer.save({ step: 2, tensors })).toThrow(expect.objectContaining({ code: 'ERR_SNAPSHARD_CLOSED' }));
    expect(() => writer.allocate(1)).toThrow(expect.objectContaining({ code: 'ERR_SNAPSHARD_CLOSED' }));
  });

  it('aborts saves when asked to, also after it began to wait', async () => {
    fake.onOpen = () => undefined;
    const saves = [writer.save({ step: 1, tensors }), writer.save({ step: 2, tensors })];
    await quiet();
    const closing = writer.close();
    await quiet();
    void writer.close({ abort: true });
    await closing;
    for (const save of saves) await expect(save).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_CLOSED' });
    expect(fake.names()).toEqual([]);
  });

  it('is not held against it that close aborted saves which nobody awaits', async () => {
    fake.onOpen = () => undefined;
    writer.save({ step: 1, tensors });
    await writer.close({ abort: true });
  });

  it('names a wrong option', () => {
    expect(() => writer.close({ abrot: true } as object)).toThrow(/`abrot`/);
  });
});

describe('a failure that nobody took up', () => {
  const messages: unknown[] = [];
  const listen = (message: unknown): void => void messages.push(message);

  beforeEach(() => {
    subscribe('snapshard:save:failed', listen);
  });

  afterEach(() => {
    unsubscribe('snapshard:save:failed', listen);
    messages.length = 0;
  });

  it('goes to the channel and rejects close', async () => {
    fake.failNext('makeDirectory', 'EIO');
    writer.save({ step: 3, tensors });
    await quiet();
    expect(messages).toEqual([{ root: '/runs', step: 3, error: expect.objectContaining({ errno: 'EIO' }) as Error }]);
    await writer.save({ step: 4, tensors });
    await expect(writer.close()).rejects.toMatchObject({ errno: 'EIO' });
    expect(fake.calls.slice(-2)).toEqual(['closeStaging', 'closeStore']);
  });

  it('comes with the others, where there are several', async () => {
    fake.failNext('makeDirectory', 'EIO', /0003.*partial$/);
    fake.failNext('makeDirectory', 'ENOSPC', /0004.*partial$/);
    writer.save({ step: 3, tensors });
    writer.save({ step: 4, tensors });
    writer.save({ step: 5, tensors }, { signal: AbortSignal.abort(new Error('stop')) });
    const failure: unknown = await writer.close().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(AggregateError);
    expect((failure as AggregateError).errors).toHaveLength(3);
  });

  it('is one that only `staged` was asked for, when it came after', async () => {
    fake.failNext('writeFiles', 'EIO');
    const save = writer.save({ step: 3, tensors });
    await save.staged;
    await expect(writer.close()).rejects.toMatchObject({ errno: 'EIO' });
    expect(messages).toHaveLength(1);
  });

  it.each(['then', 'published', 'staged', 'catch'])('is none when `%s` was', async (how) => {
    fake.onOpen = () => undefined;
    const save = writer.save({ step: 3, tensors });
    const seen: unknown[] = [];
    if (how === 'then') void save.then(undefined, (error: unknown) => seen.push(error));
    if (how === 'published') seen.push(save.published);
    if (how === 'staged') seen.push(save.staged);
    if (how === 'catch') void save.catch((error: unknown) => seen.push(error));
    await quiet();
    fake.transfers[0]!.fail(nativeError('system', 'EIO', 'pread'));
    await writer.close();
    expect(seen).toHaveLength(1);
    expect(messages).toEqual([]);
  });

  it('is forgotten when it is taken up before close', async () => {
    fake.failNext('makeDirectory', 'EIO');
    const save = writer.save({ step: 3, tensors });
    await quiet();
    await expect(save).rejects.toMatchObject({ errno: 'EIO' });
    await writer.close();
  });
});
