import { CheckpointWriter } from 'snapshard';
import { constants } from 'node:buffer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fillRandom, MiB, randomBytes } from '../support/bytes.js';
import { runChild } from '../support/child.js';
import { readTensors } from '../support/read_back.js';
import { namesIn, useRoot } from '../support/root.js';

const root = useRoot();
let writer: CheckpointWriter;

beforeEach(async () => {
  writer = await CheckpointWriter.open(root.path, { stagingBytes: 8 * MiB, blockBytes: MiB });
});

afterEach(() => writer.close());

describe('leases', () => {
  it('are zeroed, page-aligned memory, and go with `using`', () => {
    let buffer: ArrayBuffer;
    {
      using lease = writer.allocate(10_000);
      buffer = lease.buffer;
      expect(buffer.byteLength).toBe(10_000);
      expect(new Uint8Array(buffer).every((byte) => byte === 0)).toBe(true);
    }
    expect(buffer.byteLength).toBe(0);
  });

  it('hold one tensor together, in place', async () => {
    const leases = [3 * MiB, 4096, 5 * MiB + 1].map((bytes) => writer.allocate(bytes));
    const parts = leases.map((lease) => fillRandom(new Uint8Array(lease.buffer)));
    const whole = Buffer.concat(parts);
    const data = { dtype: 'U8', shape: [whole.length], data: leases } as const;
    const saved = await writer.save({ step: 1, tensors: { data }, inPlace: true });
    expect(readTensors(saved.path).get('data')!.bytes.equals(whole)).toBe(true);
  });

  it('may change after `staged`, copied or in place', async () => {
    const lease = writer.allocate(40 * MiB);
    for (const inPlace of [false, true]) {
      const view = new Uint8Array(lease.buffer).fill(1);
      const save = writer.save({ step: 1, tensors: { view }, inPlace, overwrite: true });
      await save.staged;
      view.fill(2);
      const saved = await save;
      expect(readTensors(saved.path).get('view')!.bytes.equals(Buffer.alloc(view.length, 1))).toBe(true);
    }
  });

  it('in place go together with sources that are copied', async () => {
    const lease = writer.allocate(5 * MiB);
    const tensors = { leased: fillRandom(new Uint8Array(lease.buffer)), own: randomBytes(5 * MiB + 3) };
    const stored = readTensors((await writer.save({ step: 1, tensors, inPlace: true })).path);
    expect(stored.get('leased')!.bytes.equals(tensors.leased)).toBe(true);
    expect(stored.get('own')!.bytes.equals(tensors.own)).toBe(true);
  });

  it('that change while they are written in place fail the save', async () => {
    const lease = writer.allocate(64 * MiB);
    const view = new Uint8Array(lease.buffer);
    const save = writer.save({ step: 1, tensors: { view }, inPlace: true });
    // Nothing is written before this thread comes round, and by then much of it has been hashed.
    const hashed_ms = performance.now() + 200;
    while (performance.now() < hashed_ms);
    for (let at = 0; at < view.length; at += 65_536) view[at] = 1;
    await expect(save).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_SOURCE_CHANGED' });
    await expect(save.staged).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_SOURCE_CHANGED' });
    expect(namesIn(root.path)).toEqual([]);
    await writer.save({ step: 1, tensors: { view }, inPlace: true });
  });

  it('of one writer are good for another, and after it has closed', async () => {
    const other = await CheckpointWriter.open(root.path, { stagingBytes: 8 * MiB });
    const lease = other.allocate(MiB);
    const view = fillRandom(new Uint8Array(lease.buffer));
    await other.close();
    const saved = await writer.save({ step: 1, tensors: { view }, inPlace: true });
    expect(readTensors(saved.path).get('view')!.bytes.equals(view)).toBe(true);
  });

  it('above what one ArrayBuffer holds: say what to do', () => {
    const bytes = constants.MAX_LENGTH + 1;
    if (!Number.isSafeInteger(bytes)) return;
    expect(() => writer.allocate(bytes)).toThrow(/several leases/);
  });

  it('above what there is: say so', () => {
    const bytes = Math.min(constants.MAX_LENGTH, 2 ** 52);
    if (bytes < 2 ** 40) return;
    expect(() => writer.allocate(bytes)).toThrow(expect.objectContaining({ code: 'ERR_SNAPSHARD_NO_MEMORY' }));
  });

  it('live as long as a save reads them, and no longer than they are wanted', async () => {
    const child = await runChild('lease_life', { root: root.path });
    expect([child.code, child.signal, child.messages], child.output).toEqual([0, null, ['done']]);
  });
});
