import { getEventListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import {
  type Checkpoint,
  CheckpointWriter,
  latestCheckpoint,
  openCheckpoint,
  type Published,
  type TypedArray,
} from 'snapshard';
import { beforeEach, afterEach, describe, expect, it } from 'vitest';
import { MiB } from '../support/bytes.js';
import { everything, partOf, smallWriter } from '../support/restored.js';
import { useRoot } from '../support/root.js';

const root = useRoot();
const tensors = everything();
const files = { 'config.json': '{"ü":1}', 'rng.bin': Uint8Array.from([1, 2, 3]), empty: '' };
let saved: Published;
let checkpoint: Checkpoint;

beforeEach(async () => {
  await using writer = await CheckpointWriter.open(root.path, { ...smallWriter, shardBytes: 2 * MiB });
  saved = await writer.save({ step: 7, tensors, files, metadata: { loss: 0.5, nested: [null, 'ü'] } });
  checkpoint = await openCheckpoint(saved.path, { stagingBytes: 16 * MiB });
});

afterEach(() => checkpoint.close());

function expectEqual(name: string, data: Uint8Array): void {
  expect(Buffer.from(data).equals(tensors.get(name)!.data), name).toBe(true);
}

describe('an open checkpoint', () => {
  it('tells what it is without reading data', () => {
    expect(checkpoint).toMatchObject({ path: saved.path, format: 'snapshard', step: 7, worldSize: 1 });
    expect(checkpoint.digest).toBe(saved.digest);
    expect(checkpoint.metadata).toEqual({ loss: 0.5, nested: [null, 'ü'] });
    expect([checkpoint.hasDigests, checkpoint.verified]).toEqual([true, true]);
    expect([...checkpoint.tensors.keys()].sort()).toEqual([...tensors.keys()].sort());
    for (const [name, { dtype, shape, group, data }] of tensors) {
      expect(checkpoint.tensors.get(name)).toMatchObject({ name, dtype, shape, group, bytes: data.length });
      const [slice, ...others] = checkpoint.tensors.get(name)!.slices;
      expect(others).toEqual([]);
      expect(slice).toMatchObject({ origin: shape.map(() => 0), shape, bytes: data.length });
      expect(saved.files).toContain(slice!.file);
    }
    expect([...checkpoint.files.keys()].sort()).toEqual(['config.json', 'empty', 'rng.bin']);
  });

  it('gives every tensor back, one by one', async () => {
    for (const [name, { dtype, shape }] of tensors) {
      const read = await checkpoint.read(name);
      expect(read).toMatchObject({ dtype, shape, verified: true });
      expectEqual(name, read.data);
    }
  });

  it('gives all tensors back at once, or those of some groups or names', async () => {
    const all = await checkpoint.readAll();
    expect([...all.keys()].sort()).toEqual([...tensors.keys()].sort());
    for (const [name, { data }] of all) expectEqual(name, data);
    const model = await checkpoint.readAll({ groups: ['model'] });
    const names = [...tensors].filter(([, { group }]) => group === 'model').map(([name]) => name);
    expect([...model.keys()].sort()).toEqual(names.sort());
    const some = await checkpoint.readAll({ groups: ['optimizer'], names: ['chunks', 'large', 'page'] });
    expect([...some.keys()].sort()).toEqual(['chunks', 'page']);
  });

  it('gives side files back', async () => {
    for (const [name, contents] of Object.entries(files)) {
      expect(Buffer.from(await checkpoint.file(name)).equals(Buffer.from(contents as string))).toBe(true);
    }
    await expect(checkpoint.file('other')).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_NOT_FOUND' });
  });

  it.each([undefined, null, 5, Symbol('odd'), {}])('refuses %o for a name, and all but objects for a slice', async (value) => {
    const refused = expect.objectContaining({ code: 'ERR_SNAPSHARD_INVALID_ARGUMENT' }) as Error;
    await expect(checkpoint.file(value as never)).rejects.toEqual(refused);
    await expect(checkpoint.read(value as never)).rejects.toEqual(refused);
    if (typeof value === 'object' && value !== null) return;
    if (value !== undefined) await expect(checkpoint.read('page', value as never)).rejects.toEqual(refused);
  });

  it('takes for a slice only what is one', async () => {
    const signal = new AbortController().signal;
    const refused: [slice: unknown, message: RegExp][] = [
      [{ signal }, /`signal` in the slice of tensor "page": options come third/],
      [{ verify: false }, /options come third, as in read\(name, undefined, \{ verify \}\)/],
      [{ offset: [0], lenght: [3] }, /`offset`, `lenght` .* misspelt/],
      [{ data: new Uint8Array(12), origin: [0], shape: [3] }, /`data`/],
      [new Float32Array(3), /\{ origin, shape \}.*an instance of Float32Array/],
      [[0, 3], /an array of|\[0, 3\]/],
      [signal, /an instance of AbortSignal/],
    ];
    for (const [slice, message] of refused) {
      const error = expect.objectContaining({ code: 'ERR_SNAPSHARD_INVALID_ARGUMENT', message: expect.stringMatching(message) as string }) as Error;
      await expect(checkpoint.read('page', slice as never)).rejects.toEqual(error);
    }
    class Rows {
      readonly rank = 1;
      get origin(): number[] {
        return [4];
      }
      get shape(): number[] {
        return [3];
      }
    }
    expect((await checkpoint.read('page', new Rows())).shape).toEqual([3]);
    expect((await checkpoint.read('page', checkpoint.tensors.get('page')!.slices[0])).shape).toEqual([1024]);
    expect((await checkpoint.read('page', {})).shape).toEqual([1024]);
  });

  it('is told of in lists that are the caller\'s to change', async () => {
    const other = await openCheckpoint(checkpoint.path);
    const page = other.tensors.get('page') as unknown as { shape: unknown[]; slices: { origin: unknown[]; shape: unknown[] }[] };
    for (const list of [page.shape, page.slices[0]!.origin, page.slices[0]!.shape]) list.splice(0, 1, 'x', -5);
    (other.files as Map<string, unknown>).clear();
    expectEqual('page', (await other.read('page')).data);
    expectEqual('chunks', (await other.read('chunks')).data);
    expect((await other.verify()).damaged).toEqual([]);
    expect(await other.file('config.json')).not.toHaveLength(0);
    await other.close();
  });

  it('is whole', async () => {
    const verification = checkpoint.verify();
    const seen = [];
    for await (const progress of verification.progress()) seen.push(progress);
    const report = await verification;
    expect(report).toMatchObject({ hasDigests: true, damaged: [] });
    const bytes = saved.files.reduce((sum, name) => sum + readFileSync(`${saved.path}/${name}`).length, 0);
    expect(report.bytes).toBeGreaterThan(bytes);
    expect(seen.at(-1)).toEqual({ bytes: report.bytes, totalBytes: report.bytes });
  });

  it('is opened as the newest of its root', async () => {
    await using latest = await latestCheckpoint(root.path, { verifyFirst: true });
    expect(latest.path).toBe(saved.path);
    expect(latest.passedOver).toEqual([]);
    expectEqual('page', (await latest.read('page')).data);
  });
});

describe('slices', () => {
  const slice = { origin: [100, 517], shape: [900, 3] };

  it('are read by themselves, into memory of their own or the caller’s', async () => {
    const { data, shape } = tensors.get('large')!;
    const expected = partOf(data, 2, shape, slice);
    const read = await checkpoint.read('large', slice);
    expect(read.shape).toEqual([900, 3]);
    expect(Buffer.from(read.data).equals(expected)).toBe(true);
    const target = new Uint16Array(2 * 2700);
    const report = await checkpoint.readInto([
      ['large', { data: target.subarray(2700), ...slice }],
      ['large', { data: target.subarray(0, 2700), ...slice }],
    ]);
    expect(report).toMatchObject({ bytes: 2 * expected.length, verified: true });
    expect(Buffer.from(target.buffer).equals(Buffer.concat([expected, expected]))).toBe(true);
  });

  it('read no chunk that they do not need', async () => {
    const target = new Uint8Array(10);
    const { readBytes } = await checkpoint.readInto({ chunks: { data: target, origin: [1, 5], shape: [1, 10] } });
    expect(Buffer.from(target).equals(tensors.get('chunks')!.data.subarray(MiB + 5, MiB + 15))).toBe(true);
    expect(readBytes).toBeLessThanOrEqual(MiB + 8192);
  });
});

describe('targets', () => {
  it('may be memory of any kind', async () => {
    const lease = checkpoint.allocate(3 * MiB);
    const shared = new SharedArrayBuffer(4096);
    const pieces = [new Uint8Array(1), new DataView(new ArrayBuffer(9), 2, 5), new ArrayBuffer(MiB + 1 - 6)];
    const report = await checkpoint.readInto(
      new Map<string, TypedArray | SharedArrayBuffer | typeof lease | typeof pieces>([
        ['chunks', lease],
        ['page', shared],
        ['odd/näme "quoted"\n', pieces],
        ['I64.matrix', new BigInt64Array(240)],
        ['F32.scalar', new Float32Array(1)],
        ['BF16.empty', new Uint16Array(0)],
      ]),
    );
    expect(report.bytes).toBe(3 * MiB + 4096 + MiB + 1 + 1920 + 4);
    expectEqual('chunks', new Uint8Array(lease.buffer));
    expectEqual('page', new Uint8Array(shared));
    const [first, second, third] = pieces as [Uint8Array, DataView, ArrayBuffer];
    expectEqual('odd/näme "quoted"\n', Buffer.concat([first, new Uint8Array(second.buffer, 2, 5), new Uint8Array(third)]));
    expect([...new Uint8Array(second.buffer)].filter((_, index) => index < 2 || index > 6)).toEqual([0, 0, 0, 0]);
  });

  it.each([
    ['of another dtype', { page: new Float64Array(512) }, 'ERR_SNAPSHARD_DTYPE_MISMATCH'],
    ['of another length', { page: new Float32Array(1023) }, 'ERR_SNAPSHARD_SHAPE_MISMATCH'],
    ['for no tensor', { pages: new Float32Array(1024) }, 'ERR_SNAPSHARD_NOT_FOUND'],
    ['that are no memory', { page: 'text' as never }, 'ERR_SNAPSHARD_INVALID_ARGUMENT'],
    ['with a misspelt property', { page: { data: new Float32Array(1024), offset: [0] } as never }, 'ERR_SNAPSHARD_INVALID_ARGUMENT'],
    [
      'for a slice that does not lie in the tensor',
      { page: { data: new Float32Array(2), origin: [1023], shape: [2] } },
      'ERR_SNAPSHARD_SHAPE_MISMATCH',
    ],
    [
      'for half an element',
      { 'F4.matrix': { data: new Uint8Array(6), origin: [0, 1], shape: [12, 1] } },
      'ERR_SNAPSHARD_SHAPE_MISMATCH',
    ],
  ])('%s are refused', async (_, targets, code) => {
    await expect(checkpoint.readInto(targets as Record<string, TypedArray>)).rejects.toMatchObject({ code });
  });

  it('that share memory are refused, by name', async () => {
    const buffer = new ArrayBuffer(8000);
    const targets = { page: new Uint8Array(buffer, 0, 4096), 'I64.matrix': new Uint8Array(buffer, 4095, 1920) };
    const error = expect.objectContaining({ code: 'ERR_SNAPSHARD_INVALID_ARGUMENT' }) as Error;
    await expect(checkpoint.readInto(targets)).rejects.toEqual(error);
    await expect(checkpoint.readInto(targets)).rejects.toThrow(/"page" and "I64.matrix" share memory/);
  });

  it('that are taken away before or during the read are refused', async () => {
    const target = new Float32Array(1024);
    structuredClone(target.buffer, { transfer: [target.buffer] });
    await expect(checkpoint.readInto({ page: target.buffer })).rejects.toMatchObject({
      code: 'ERR_SNAPSHARD_TARGET_DETACHED',
    });
    const other = new Uint8Array(3 * MiB);
    const read = checkpoint.readInto({ chunks: other });
    structuredClone(other.buffer, { transfer: [other.buffer] });
    await expect(read).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_TARGET_DETACHED' });
    expectEqual('chunks', (await checkpoint.read('chunks')).data);
  });
});

describe('a stream', () => {
  it('gives a tensor in order, in pieces', async () => {
    for (const name of ['large', 'chunks', 'F64.scalar', 'U8.empty', 'F6_E3M2.matrix', 'odd/näme "quoted"\n']) {
      const pieces: Uint8Array[] = [];
      for await (const piece of checkpoint.stream(name, { chunkBytes: MiB })) pieces.push(piece);
      expect(pieces.every(({ length }) => length <= MiB)).toBe(true);
      expectEqual(name, Buffer.concat(pieces));
    }
  });

  it('may be left early, and ends with its checkpoint', async () => {
    for await (const piece of checkpoint.stream('chunks', { chunkBytes: MiB })) {
      expect(piece).toHaveLength(MiB);
      break;
    }
    const rest = checkpoint.stream('chunks', { chunkBytes: MiB });
    await checkpoint.close();
    await expect(rest.next()).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_CLOSED' });
  });
});

describe('reads', () => {
  it('may go on at once', async () => {
    const names = [...tensors.keys()];
    const reads = await Promise.all([...names, ...names].map((name) => checkpoint.read(name)));
    for (const [index, { data }] of reads.entries()) expectEqual(names[index % names.length]!, data);
  });

  it('share a signal, however many they are, and leave nothing on it', async () => {
    const warned: Error[] = [];
    const onWarning = (warning: Error): unknown => warned.push(warning);
    process.on('warning', onWarning);
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 20 }, () => checkpoint.read('chunks', {}, { signal })));
    await Promise.all(Array.from({ length: 20 }, () => checkpoint.verify({ signal })));
    await setImmediate();
    process.off('warning', onWarning);
    expect(warned).toEqual([]);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('are aborted by their signal, and reject with its reason', async () => {
    const reason = new Error('enough');
    const aborted = AbortSignal.abort(reason);
    await expect(checkpoint.read('large', {}, { signal: aborted })).rejects.toBe(reason);
    await expect(checkpoint.readAll({ signal: aborted })).rejects.toBe(reason);
    await expect(checkpoint.verify({ signal: aborted })).rejects.toBe(reason);
    const controller = new AbortController();
    const read = checkpoint.readAll({ signal: controller.signal });
    const check = checkpoint.verify({ signal: controller.signal });
    controller.abort(reason);
    await expect(read).rejects.toBe(reason);
    await expect(check).rejects.toBe(reason);
    expectEqual('large', (await checkpoint.read('large')).data);
  });

  it('that are not verified say so', async () => {
    expect((await checkpoint.read('page', {}, { verify: false })).verified).toBe(false);
    await using trusting = await openCheckpoint(saved.path, { stagingBytes: 8 * MiB, verify: false });
    expect(trusting.verified).toBe(false);
    expect(await trusting.readInto({ page: new Float32Array(1024) })).toMatchObject({ verified: false });
    expect((await trusting.read('page', {}, { verify: true })).verified).toBe(true);
  });

  it('are refused once the checkpoint is closed, which waits for those under way', async () => {
    const read = checkpoint.read('large');
    await checkpoint.close();
    expectEqual('large', (await read).data);
    const closed = { code: 'ERR_SNAPSHARD_CLOSED' };
    await expect(checkpoint.read('large')).rejects.toMatchObject(closed);
    await expect(checkpoint.readAll()).rejects.toMatchObject(closed);
    await expect(checkpoint.file('empty')).rejects.toMatchObject(closed);
    expect(() => checkpoint.verify()).toThrow(expect.objectContaining(closed));
    expect(() => checkpoint.stream('large')).toThrow(expect.objectContaining(closed));
    expect(() => checkpoint.allocate(1)).toThrow(expect.objectContaining(closed));
    await checkpoint.close();
  });

  it('refuse options that are not there', async () => {
    await expect(checkpoint.read('page', {}, { verfy: true } as never)).rejects.toThrow(/`verfy`/);
    await expect(openCheckpoint(saved.path, { blockBytes: MiB })).rejects.toThrow(/2 MiB/);
    expect(() => checkpoint.stream('page', { chunkBytes: 5 })).toThrow(/1 MiB/);
    const refused = expect.objectContaining({ code: 'ERR_SNAPSHARD_INVALID_ARGUMENT' }) as Error;
    const detached = new Uint8Array(8);
    structuredClone(detached, { transfer: [detached.buffer] });
    const odd = [{ [Symbol.iterator]: 5 }, { [Symbol.iterator]: () => ({}) }, [null], [Symbol('odd')]];
    for (const list of [5, 'page', {}, ...odd, detached, Object.create(detached) as unknown]) {
      await expect(checkpoint.readAll({ names: list as never })).rejects.toEqual(refused);
      await expect(checkpoint.readAll({ groups: list as never })).rejects.toEqual(refused);
    }
  });
});
