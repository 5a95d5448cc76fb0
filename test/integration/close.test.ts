import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setImmediate } from 'node:timers/promises';
import { capabilities, CheckpointWriter, type FailedMessage } from 'snapshard';
import { describe, expect, it } from 'vitest';
import { MiB, randomBytes } from '../support/bytes.js';
import { openFiles } from '../support/process_state.js';
import { namesIn, useRoot } from '../support/root.js';

const root = useRoot();
const options = { stagingBytes: 8 * MiB, blockBytes: MiB };

describe('close', () => {
  it('waits for the saves that were asked for, and gives descriptors back', async () => {
    const before = openFiles();
    const writer = await CheckpointWriter.open(root.path, options);
    for (const step of [1, 2, 3]) writer.save({ step, tensors: { data: randomBytes(10 * MiB) } });
    await writer.close();
    await writer.close();
    expect(namesIn(root.path)).toEqual(['step-0000000001', 'step-0000000002', 'step-0000000003']);
    expect(openFiles().filter((target) => target.startsWith(root.path))).toEqual([]);
    expect(before.filter((target) => target.startsWith(root.path))).toEqual([]);
  });

  it('comes at the end of `await using`', async () => {
    {
      await using writer = await CheckpointWriter.open(root.path, options);
      writer.save({ step: 1, tensors: { data: randomBytes(10 * MiB) } });
    }
    expect(namesIn(root.path)).toEqual(['step-0000000001']);
  });

  it('refuses saves and leases that come after', async () => {
    const writer = await CheckpointWriter.open(root.path, options);
    await writer.close();
    const closed = expect.objectContaining({ code: 'ERR_SNAPSHARD_CLOSED' }) as Error;
    expect(() => writer.save({ step: 1, tensors: {} })).toThrow(closed);
    expect(() => writer.allocate(1)).toThrow(closed);
  });

  it('rejects with the failure that nobody had taken up; the save after it was not held up', async () => {
    const messages: FailedMessage[] = [];
    const listen = (message: unknown): void => void messages.push(message as FailedMessage);
    subscribe('snapshard:save:failed', listen);
    const writer = await CheckpointWriter.open(root.path, options);
    await writer.save({ step: 1, tensors: {} });
    writer.save({ step: 1, tensors: { data: randomBytes(20 * MiB) } });
    await writer.save({ step: 2, tensors: {} });
    await expect(writer.close()).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_STEP_EXISTS' });
    // Its caller has had until the next turn of the event loop to take it up.
    await setImmediate();
    unsubscribe('snapshard:save:failed', listen);
    expect(messages).toMatchObject([{ root: root.path, step: 1, error: { code: 'ERR_SNAPSHARD_STEP_EXISTS' } }]);
  });
});

describe('capabilities', () => {
  it('tell what this machine has, and why not', () => {
    const { ioUring, memoryReader, hash, kernel, pageBytes } = capabilities();
    expect(ioUring.available).toBe(ioUring.reason === '');
    expect(memoryReader).toMatch(/^(process_vm_readv|\/proc\/self\/mem|javascript-thread)$/);
    expect(hash).toMatch(/^(avx512|avx2|sse2|scalar|neon)$/);
    expect(kernel).toMatch(/^\d+\.\d+/);
    expect(pageBytes % 4096).toBe(0);
  });
});
