import { CheckpointWriter, removeCheckpoint, type Save } from 'snapshard';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MiB, randomBytes } from '../support/bytes.js';
import { openFiles } from '../support/process_state.js';
import { readTensors } from '../support/read_back.js';
import { namesIn, useRoot } from '../support/root.js';

const root = useRoot();
const data = randomBytes(96 * MiB);
const reason = new Error('enough');
let writer: CheckpointWriter;
let filesBefore: string[];

beforeEach(async () => {
  writer = await CheckpointWriter.open(root.path, { stagingBytes: 128 * MiB, blockBytes: MiB });
  filesBefore = openFiles();
});

/** After every case: the step is free, a save of it works, and no descriptor is lost. */
afterEach(async () => {
  expect(namesIn(root.path)).toEqual([]);
  const saved = await writer.save({ step: 1, tensors: { data } });
  expect(readTensors(saved.path).get('data')!.bytes.equals(data)).toBe(true);
  expect(openFiles()).toEqual(filesBefore);
  await writer.close();
});

async function rejectsWithReason(save: Save): Promise<void> {
  await expect(save).rejects.toBe(reason);
  await expect(save.published).rejects.toBe(reason);
}

async function untilPhase(save: Save, phase: string): Promise<void> {
  for await (const progress of save.progress()) if (progress.phase === phase) return;
}

describe('abort', () => {
  it('before the save', async () => {
    const save = writer.save({ step: 1, tensors: { data } }, { signal: AbortSignal.abort(reason) });
    await rejectsWithReason(save);
    await expect(save.staged).rejects.toBe(reason);
  });

  it('at once, while it is staged', async () => {
    const controller = new AbortController();
    const save = writer.save({ step: 1, tensors: { data } }, { signal: controller.signal });
    controller.abort(reason);
    await rejectsWithReason(save);
  });

  it('when it is staged, while it is written', async () => {
    const controller = new AbortController();
    const save = writer.save({ step: 1, tensors: { data } }, { signal: controller.signal });
    await save.staged;
    controller.abort(reason);
    await rejectsWithReason(save);
    await save.staged;
  });

  it('while a source larger than the pool is staged and written', async () => {
    await using small = await CheckpointWriter.open(root.path, { stagingBytes: 4 * MiB, blockBytes: MiB });
    const controller = new AbortController();
    const large = { dtype: 'U8', shape: [10 * data.length], data: Array<Uint8Array>(10).fill(data) } as const;
    const save = small.save({ step: 1, tensors: { large } }, { signal: controller.signal });
    for await (const { writtenBytes } of save.progress()) if (writtenBytes > 0) break;
    controller.abort(reason);
    await rejectsWithReason(save);
    await expect(save.staged).rejects.toBe(reason);
  });

  it('while it waits for its turn, and the save before it goes on', async () => {
    const controller = new AbortController();
    const first = writer.save({ step: 7, tensors: { data } });
    const save = writer.save({ step: 1, tensors: { data } }, { signal: controller.signal });
    controller.abort(reason);
    await rejectsWithReason(save);
    await first;
    await removeCheckpoint(root.path, 7);
  });

  it('at any moment: whole, or not there', async () => {
    let whole = 0;
    for (let delay_ms = 0; delay_ms < 120; delay_ms += 6) {
      const signal = AbortSignal.timeout(delay_ms);
      const save = writer.save({ step: 1, tensors: { data }, overwrite: true }, { signal });
      const published = await save.then(
        () => true,
        (error: unknown) => {
          expect(error).toBe(signal.reason);
          return false;
        },
      );
      const steps = namesIn(root.path).filter((name) => !name.startsWith('.dead'));
      expect(steps).toHaveLength(published || whole > 0 ? 1 : 0);
      if (published) whole += 1;
    }
    if (whole > 0) await removeCheckpoint(root.path, 1);
    await writer.save({ step: 2, tensors: {} });
    await removeCheckpoint(root.path, 2);
  });

  it('that comes too late changes nothing', async () => {
    const controller = new AbortController();
    const save = writer.save({ step: 3, tensors: { data } }, { signal: controller.signal });
    await untilPhase(save, 'publishing');
    controller.abort(reason);
    await save;
    await removeCheckpoint(root.path, 3);
  });

  it('by close: every save, and close itself succeeds', async () => {
    const other = await CheckpointWriter.open(root.path, { stagingBytes: 8 * MiB });
    const saves = [1, 2, 3].map((step) => other.save({ step, tensors: { data } }));
    await other.close({ abort: true });
    for (const save of saves) await expect(save).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_CLOSED' });
  });
});

describe('deadline', () => {
  it('ends a save that takes too long, and the writer goes on', async () => {
    const hasty = await CheckpointWriter.open(root.path, { stagingBytes: 4 * MiB, blockBytes: MiB, deadlineMs: 20 });
    const large = { dtype: 'U8', shape: [10 * data.length], data: Array<Uint8Array>(10).fill(data) } as const;
    const save = hasty.save({ step: 1, tensors: { large } });
    await expect(save).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_DEADLINE' });
    await expect(save.staged).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_DEADLINE' });
    await hasty.save({ step: 1, tensors: {} }).then(undefined, (error: unknown) => {
      expect(error).toMatchObject({ code: 'ERR_SNAPSHARD_DEADLINE' });
    });
    await hasty.close();
    if (namesIn(root.path).length > 0) await removeCheckpoint(root.path, 1);
  });
});
