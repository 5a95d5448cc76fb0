import { constants } from 'node:buffer';
import { CheckpointWriter, fileSource, type Dtype, type SaveRequest, type TensorInput } from 'snapshard';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MiB } from '../support/bytes.js';
import { openFiles } from '../support/process_state.js';
import { namesIn, useRoot } from '../support/root.js';

const root = useRoot();
let writer: CheckpointWriter;
let filesBefore: string[];

beforeEach(async () => {
  writer = await CheckpointWriter.open(root.path, { stagingBytes: 8 * MiB, blockBytes: MiB });
  await writer.save({ step: 0, tensors: { a: new Uint8Array(1) } });
  filesBefore = openFiles();
});

/** After every case: nothing is published or left, the writer works, and no descriptor is lost. */
afterEach(async () => {
  expect(namesIn(root.path)).toEqual(['step-0000000000']);
  await writer.save({ step: 1, tensors: { a: new Uint8Array(1) } });
  expect(openFiles()).toEqual(filesBefore);
  await writer.close();
});

const four = new Float32Array(4);
const tensor = (changes: object): SaveRequest => ({
  step: 2,
  tensors: { w: { dtype: 'F32', shape: [4], data: four, ...changes } as TensorInput },
});
const named = (name: string): SaveRequest => ({ step: 2, tensors: [[name, four]] });
const withFile = (name: string): SaveRequest => ({ step: 2, tensors: {}, files: { [name]: '' } });
const withFiles = (files: unknown): SaveRequest => ({ step: 2, tensors: {}, files } as unknown as SaveRequest);
const circular: Record<string, unknown> = {};
circular.self = circular;
const withMetadata = (metadata: unknown): SaveRequest => ({ step: 2, tensors: {}, metadata } as unknown as SaveRequest);
const detachedBytes = new Uint8Array(4);
structuredClone(detachedBytes, { transfer: [detachedBytes.buffer] });
const detached = new Float32Array(4);
structuredClone(detached, { transfer: [detached.buffer] });

const cases: [string, string, () => SaveRequest][] = [
  ['SHAPE_MISMATCH', 'shape and bytes that disagree', () => tensor({ shape: [5] })],
  ['SHAPE_MISMATCH', 'a list whose bytes do not add up', () => tensor({ data: [four, four] })],
  ['SHAPE_MISMATCH', 'a slice outside of its global shape', () => tensor({ globalShape: [6], origin: [3] })],
  ['INCOMPLETE_TENSOR', 'slices that leave a gap', () => tensor({ globalShape: [6], origin: [0] })],
  ['DTYPE_MISMATCH', 'a view that does not match its dtype', () => tensor({ dtype: 'I32' })],
  ['UNKNOWN_DTYPE', 'an unknown dtype', () => tensor({ dtype: 'float32' as Dtype })],
  ['INVALID_ARGUMENT', 'a shape that is no integer', () => tensor({ shape: [1.5] })],
  ['INVALID_ARGUMENT', 'a negative shape', () => tensor({ shape: [-4] })],
  ['INVALID_ARGUMENT', 'a shape beyond safe integers', () => tensor({ shape: [2 ** 60] })],
  ['INVALID_ARGUMENT', 'data that is none', () => tensor({ data: [1, 2, 3, 4] })],
  ['INVALID_ARGUMENT', 'a misspelt property of a tensor', () => tensor({ shpae: [4] })],
  ['INVALID_ARGUMENT', 'a step that is no integer', () => ({ step: 1.5, tensors: {} })],
  ['INVALID_ARGUMENT', 'a negative step', () => ({ step: -1, tensors: {} })],
  ['INVALID_ARGUMENT', 'a huge step', () => ({ step: 2 ** 53, tensors: {} })],
  ['INVALID_ARGUMENT', 'a step that is no number', () => ({ step: '5' as unknown as number, tensors: {} })],
  ['INVALID_ARGUMENT', 'no tensors', () => ({ step: 2 } as unknown as SaveRequest)],
  ['INVALID_ARGUMENT', 'no request', () => undefined as unknown as SaveRequest],
  ['INVALID_ARGUMENT', 'a misspelt property of the request', () => ({ step: 2, tensors: {}, overwite: true } as SaveRequest)],
  ['INVALID_ARGUMENT', 'a flag that is none', () => ({ step: 2, tensors: {}, overwrite: 1 } as unknown as SaveRequest)],
  ['INVALID_ARGUMENT', 'side files that are none', () => withFiles('config.json')],
  ['INVALID_ARGUMENT', 'side files that are names alone', () => withFiles(['config.json'])],
  ['INVALID_ARGUMENT', 'side files that are yet to come', () => withFiles(Promise.resolve({ 'config.json': '{}' }))],
  ['INVALID_ARGUMENT', 'side files that are a date', () => withFiles(new Date())],
  ['INVALID_ARGUMENT', 'text that UTF-8 cannot hold', () => withFiles({ 'x.txt': 'a\ud800b' })],
  ['DUPLICATE_NAME', 'a side file twice', () => withFiles([['a', '1'], ['a', '1']])],
  ['INVALID_ARGUMENT', 'contents that are none', () => ({ step: 2, tensors: {}, files: { a: 1 } } as unknown as SaveRequest)],
  ['SOURCE_DETACHED', 'contents that are detached', () => ({ step: 2, tensors: {}, files: { a: detachedBytes } })],
  ['INVALID_NAME', 'a reserved name', () => named('__metadata__')],
  ['INVALID_NAME', 'an empty name', () => named('')],
  ['INVALID_NAME', 'a lone surrogate', () => named('a\ud800b')],
  ['DUPLICATE_NAME', 'a name twice', () => ({ step: 2, tensors: [['a', four], ['a', four]] })],
  ['INVALID_NAME', 'a side file above the directory', () => withFile('../config.json')],
  ['INVALID_NAME', 'a side file at an absolute path', () => withFile('/etc/config.json')],
  ['INVALID_NAME', 'a side file without a name', () => withFile('')],
  ['INVALID_NAME', 'a side file named dot', () => withFile('..')],
  ['INVALID_NAME', 'a side file with a zero byte', () => withFile('a\0b')],
  ['INVALID_NAME', 'a side file under the name of the manifest', () => withFile('manifest.json')],
  ['INVALID_NAME', 'a side file under the name of a directory', () => withFile('ranks')],
  ['INVALID_NAME', 'a side file under the name of a shard', () => withFile('model-00001-of-00001.safetensors')],
  ['INVALID_NAME', 'a side file under the name of the index', () => withFile('model.safetensors.index.json')],
  ['INVALID_METADATA', 'metadata with a circle', () => withMetadata(circular)],
  ['INVALID_METADATA', 'metadata with a bigint', () => withMetadata({ a: 1n })],
  ['INVALID_METADATA', 'metadata with a function', () => withMetadata({ a: () => 1 })],
  ['INVALID_METADATA', 'metadata with NaN', () => withMetadata({ loss: NaN })],
  ['SOURCE_DETACHED', 'a detached source', () => tensor({ data: detached })],
  ['INVALID_ARGUMENT', 'a file source of negative bytes', () => tensor({ data: fileSource({ path: 'x', bytes: -1 }) })],
  ['INVALID_ARGUMENT', 'a file source with a misspelt option', () => tensor({ data: fileSource({ path: 'x', bytes: 1, ofset: 3 } as never) })],
];

describe('save throws at the call', () => {
  it.each(cases)('%s: %s', (code, _what, request) => {
    expect(() => writer.save(request())).toThrow(expect.objectContaining({ code: `ERR_SNAPSHARD_${code}` }));
  });

  it.each([{ signal: {} }, { singal: new AbortController().signal }, 5])('for the options %j', (options) => {
    const call = (): unknown => writer.save({ step: 2, tensors: {} }, options as object);
    expect(call).toThrow(expect.objectContaining({ code: 'ERR_SNAPSHARD_INVALID_ARGUMENT' }));
  });

  it.skipIf(constants.MAX_LENGTH <= 2 ** 32)('for a side file that is longer than a manifest may list', () => {
    const request = withFiles({ 'data.bin': new Uint8Array(2 ** 32 + 1) });
    expect(() => writer.save(request)).toThrow(/"data\.bin" has 4294967297 bytes, and 4294967296 is the most/);
  });

  it('for a descriptor that is not open', () => {
    expect(() => writer.save(tensor({ data: fileSource({ fd: 99_999, bytes: 16 }) }))).toThrow(
      expect.objectContaining({ code: 'ERR_SNAPSHARD_IO', errno: 'EBADF' }),
    );
  });

  it('for a lease that is disposed', () => {
    const lease = writer.allocate(16);
    const view = new Float32Array(lease.buffer);
    lease.dispose();
    lease.dispose();
    const closed = expect.objectContaining({ code: 'ERR_SNAPSHARD_CLOSED' }) as Error;
    expect(() => lease.buffer).toThrow(closed);
    for (const data of [lease, view]) expect(() => writer.save(tensor({ data }))).toThrow(closed);
  });

  it.each([0, -1, 1.5, NaN, '16', 2 ** 60])('and allocate for %s bytes', (bytes) => {
    expect(() => writer.allocate(bytes as number)).toThrow(
      expect.objectContaining({ code: 'ERR_SNAPSHARD_INVALID_ARGUMENT' }),
    );
  });
});

describe('a file source that is not as promised fails the save', () => {
  it('when it is not there', async () => {
    const path = `${root.path}/none.bin`;
    await expect(writer.save(tensor({ data: fileSource({ path, bytes: 16 }) }))).rejects.toMatchObject({
      code: 'ERR_SNAPSHARD_NOT_FOUND',
      path,
    });
  });

  it('when it is too short', async () => {
    const data = fileSource({ path: '/proc/self/comm', bytes: 16, offset: 1_000_000 });
    await expect(writer.save(tensor({ data }))).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_SOURCE_CHANGED' });
  });

  it('when it is a directory', async () => {
    const data = fileSource({ path: root.path, bytes: 16 });
    await expect(writer.save(tensor({ data }))).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_IO', errno: 'EISDIR' });
  });
});

describe('open rejects', () => {
  const wrong: [string, object][] = [
    ['a misspelt option', { stagingByte: 1 }],
    ['a staging budget below two blocks', { stagingBytes: MiB }],
    ['a block that is no power of two', { blockBytes: 3 * MiB }],
    ['a block that is too small', { blockBytes: 4096 }],
    ['no depth', { queueDepth: 0 }],
    ['threads that are no integer', { threads: 1.5 }],
    ['an unknown engine', { engine: 'aio' }],
    ['a flag that is none', { direct: 'yes' }],
    ['a negative shard size', { shardBytes: -1 }],
    ['a deadline that is none', { deadlineMs: 0 }],
    ['a deadline beyond any timer', { deadlineMs: 2 ** 40 }],
  ];

  it.each(wrong)('%s, and names it', async (_what, options) => {
    const opening = CheckpointWriter.open(root.path, options);
    await expect(opening).rejects.toMatchObject({
      code: 'ERR_SNAPSHARD_INVALID_ARGUMENT',
      message: expect.stringContaining(Object.keys(options)[0]!) as string,
    });
  });

  it('what is no path', async () => {
    for (const path of ['', 'a\0b', 5, undefined]) {
      await expect(CheckpointWriter.open(path as string)).rejects.toMatchObject({
        code: 'ERR_SNAPSHARD_INVALID_ARGUMENT',
      });
    }
  });

  it('more memory than there is', async () => {
    await expect(CheckpointWriter.open(root.path, { stagingBytes: 2 ** 50 })).rejects.toMatchObject({
      code: 'ERR_SNAPSHARD_NO_MEMORY',
    });
  });
});
