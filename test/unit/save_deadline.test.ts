import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Progress } from '../../lib/save/progress.js';
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

describe('deadline', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it('fails the save at once, and the next one works if the device answers', async () => {
    writer = await CheckpointWriter.open('/runs', { deadlineMs: 1000 });
    fake.onOpen = () => undefined;
    const save = writer.save({ step: 1, tensors });
    await quiet();
    vi.advanceTimersByTime(999);
    expect(await ended(save)).toBe(false);
    vi.advanceTimersByTime(1);
    await expect(save).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_DEADLINE' });
    await expect(save.staged).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_DEADLINE' });
    await quiet();
    expect(fake.names()).toEqual([]);
    fake.onOpen = (transfer) => {
      transfer.finish();
    };
    await writer.save({ step: 1, tensors });
    await writer.close();
  });

  it.each(['transfer', 'store'])('refuses more and closes when the %s never answers', async (what) => {
    writer = await CheckpointWriter.open('/runs', { deadlineMs: 1000 });
    fake.onOpen = (transfer) => {
      transfer.answers = false;
    };
    if (what === 'store') fake.hang(/^makeDirectory/);
    const save = writer.save({ step: 1, tensors });
    const queued = writer.save({ step: 2, tensors });
    await quiet();
    vi.advanceTimersByTime(1000);
    await expect(save).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_DEADLINE' });
    await expect(queued).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_DEADLINE' });
    const closing = writer.close();
    expect(await ended(closing)).toBe(false);
    vi.advanceTimersByTime(5000);
    await closing;
    expect(() => writer.save({ step: 3, tensors })).toThrow(expect.objectContaining({ code: 'ERR_SNAPSHARD_CLOSED' }));
    expect(fake.calls).not.toContain('closeStaging');
  });

  it('refuses more, without close, when the device never answers', async () => {
    writer = await CheckpointWriter.open('/runs', { deadlineMs: 1000 });
    fake.onOpen = (transfer) => {
      transfer.answers = false;
    };
    const save = writer.save({ step: 1, tensors });
    await quiet();
    vi.advanceTimersByTime(5500);
    await quiet();
    const queued = writer.save({ step: 2, tensors });
    vi.advanceTimersByTime(500);
    await expect(queued).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_CLOSED' });
    await expect(save).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_DEADLINE' });
    expect(() => writer.save({ step: 3, tensors })).toThrow(/did not answer/);
    fake.transfers[0]!.fail(nativeError('aborted'));
    await writer.close();
    await quiet();
    expect(fake.names()).toEqual([]);
    expect(fake.calls.slice(-2)).toEqual(['closeStaging', 'closeStore']);
  });
});

describe('progress', () => {
  it('gives the latest value, tells each once, and ends with the save', async () => {
    fake.onOpen = () => undefined;
    const save = writer.save({ step: 1, tensors });
    const seen: Progress[] = [];
    const watched = (async () => {
      for await (const progress of save.progress()) seen.push(progress);
    })();
    await quiet();
    const transfer = fake.transfers[0]!;
    transfer.progress = { stagedBytes: 16, writtenBytes: 0 };
    transfer.stage();
    await quiet();
    transfer.finish();
    await save;
    await watched;
    expect(seen.map((progress) => progress.phase)).toEqual(['staging', 'writing', 'publishing', 'published']);
    expect(seen[1]).toEqual({ phase: 'writing', stagedBytes: 16, writtenBytes: 0, totalBytes: 4112 });
    expect(seen.at(-1)).toEqual({ phase: 'published', stagedBytes: 4112, writtenBytes: 4112, totalBytes: 4112 });
  });

  it('ends with a failure quietly, and ending it early cancels nothing', async () => {
    fake.onOpen = () => undefined;
    const save = writer.save({ step: 1, tensors });
    for await (const progress of save.progress()) {
      expect(progress.phase).toBe('staging');
      break;
    }
    const last = (async () => {
      const phases: string[] = [];
      for await (const progress of save.progress()) phases.push(progress.phase);
      return phases;
    })();
    fake.transfers[0]!.fail(nativeError('system', 'EIO', 'pread'));
    await expect(save).rejects.toMatchObject({ errno: 'EIO' });
    expect(await last).toEqual(['staging', 'failed']);
  });
});
