import { statSync } from 'node:fs';
import { join } from 'node:path';
import { CheckpointWriter, type EngineChoice, type Published, type SaveTrace, type WriterOptions } from 'snapshard';
import { describe, expect, it } from 'vitest';
import { capabilities } from '../../lib/capabilities.js';
import { fillRandom, KiB, MiB, randomBytes } from '../support/bytes.js';
import { readTensors } from '../support/read_back.js';
import { useRoot } from '../support/root.js';

const root = useRoot();
const small = { stagingBytes: 8 * MiB, blockBytes: MiB } as const;
const engines: EngineChoice[] = capabilities().ioUring.available ? ['io_uring', 'pwrite'] : ['pwrite'];

type Tensors = Parameters<CheckpointWriter['save']>[0]['tensors'];

async function saveTraced(tensors: Tensors, options: WriterOptions): Promise<Published> {
  await using writer = await CheckpointWriter.open(root.path, { ...small, ...options });
  return await writer.save({ step: 1, tensors }, { trace: true });
}

function traceOf({ trace }: Published): SaveTrace {
  if (trace === undefined) throw new Error('the save has no trace');
  return trace;
}

/** Each block of each file is there once, in order, and the files are what is on disk. */
function checkBlocks(saved: Published, blockBytes: number): void {
  const trace = traceOf(saved);
  expect(trace.files).toEqual(saved.files);
  const expected = saved.files.flatMap((name, file) => {
    const { size } = statSync(join(saved.path, name));
    const blocks = Array.from({ length: Math.ceil(size / blockBytes) }, (_, block) => block * blockBytes);
    return blocks.map((offset) => [file, offset, Math.min(blockBytes, size - offset)]);
  });
  expect(Array.from(trace.file, (file, row) => [file, trace.offset[row], trace.bytes[row]])).toEqual(expected);
  expect(trace.bytes.reduce((sum, bytes) => sum + bytes, 0)).toBe(saved.bytes);
}

/** What came first is told first, and nothing before the call or after the end. */
function checkTimes(saved: Published, called_ms: number): void {
  const trace = traceOf(saved);
  const { writtenSeconds, durableSeconds, publishedSeconds, stagedSeconds } = trace;
  expect({ writtenSeconds, durableSeconds, publishedSeconds, stagedSeconds }).toEqual({
    writtenSeconds: saved.timings.writtenSeconds,
    durableSeconds: saved.timings.durableSeconds,
    publishedSeconds: saved.timings.publishedSeconds,
    stagedSeconds: saved.timings.stagedSeconds,
  });
  for (let row = 0; row < trace.file.length; row++) {
    const moments = [
      0,
      trace.gatherStartSeconds[row]!,
      trace.gatherEndSeconds[row]!,
      trace.queuedSeconds[row]!,
      trace.submittedSeconds[row]!,
      trace.completedSeconds[row]!,
      writtenSeconds,
      durableSeconds,
      publishedSeconds,
    ];
    expect(moments).toEqual(moments.toSorted((a, b) => a - b));
    const gathering = trace.gatherEndSeconds[row]! - trace.gatherStartSeconds[row]!;
    // A sum of sums: good to a nanosecond.
    expect(trace.copySeconds[row]! + trace.hashSeconds[row]!).toBeLessThanOrEqual(gathering + 1e-9);
  }
  expect(trace.startedAt_ms).toBeGreaterThan(called_ms - 1000);
  expect(trace.startedAt_ms).toBeLessThan(Date.now() + 1000);
}

describe('the trace of a save', () => {
  it('is there only where it is asked for', async () => {
    await using writer = await CheckpointWriter.open(root.path, small);
    const tensors = { a: randomBytes(MiB) };
    expect(await writer.save({ step: 1, tensors })).not.toHaveProperty('trace');
    expect(await writer.save({ step: 2, tensors }, { trace: false })).not.toHaveProperty('trace');
    expect(await writer.save({ step: 3, tensors }, { trace: true })).toHaveProperty('trace');
    const wrong = { trace: 'yes' } as never;
    expect(() => writer.save({ step: 4, tensors }, wrong)).toThrow(/Expected a boolean for `trace`/);
  });

  it.each(engines)('tells of every block of several files, by %s', async (engine) => {
    const called_ms = Date.now();
    const names = Array.from({ length: 5 }, (_, index) => `layers.${index}`);
    const tensors = Object.fromEntries(names.map((name, index) => [name, randomBytes(3 * MiB + index * 1000)]));
    const saved = await saveTraced(tensors, { engine, shardBytes: 4 * MiB });
    expect(saved).toMatchObject({ engine, files: { length: 5 } });
    checkBlocks(saved, MiB);
    checkTimes(saved, called_ms);
    const { copySeconds, thread } = traceOf(saved);
    expect(copySeconds.some((seconds) => seconds > 0)).toBe(true);
    expect(Math.max(...thread)).toBeLessThan(2);
  });

  it('tells of buffered writes, and of thousands of small tensors', async () => {
    const called_ms = Date.now();
    const bytes = randomBytes(16 * MiB);
    const tensors = new Map(
      Array.from({ length: 4096 }, (_, index) => [`t${index}`, bytes.subarray(index * 4 * KiB, (index + 1) * 4 * KiB)]),
    );
    const saved = await saveTraced(tensors, { direct: false, blockBytes: 2 * MiB });
    expect(saved.direct).toBe('no');
    checkBlocks(saved, 2 * MiB);
    checkTimes(saved, called_ms);
  });

  it('of leases in place: nothing is copied', async () => {
    const called_ms = Date.now();
    await using writer = await CheckpointWriter.open(root.path, small);
    const lease = writer.allocate(6 * MiB);
    const contents = fillRandom(new Uint8Array(lease.buffer)).slice();
    const data = { dtype: 'U8', shape: [6 * MiB], data: lease } as const;
    const saved = await writer.save({ step: 1, tensors: { data }, inPlace: true }, { trace: true });
    checkBlocks(saved, MiB);
    checkTimes(saved, called_ms);
    const { copySeconds, hashSeconds, offset } = traceOf(saved);
    // The header shares the first block, and what spills into the last one is copied with the one before.
    const inPlace = Array.from(offset.keys()).slice(1, -2);
    expect(inPlace.map((row) => copySeconds[row])).toEqual(inPlace.map(() => 0));
    expect(inPlace.every((row) => hashSeconds[row]! > 0)).toBe(true);
    expect(readTensors(saved.path).get('data')!.bytes.equals(contents)).toBe(true);
  });

  it('of nothing but a header is one block; of no file, none', async () => {
    const saved = await saveTraced({ empty: { dtype: 'F32', shape: [0], data: new Float32Array() } }, {});
    checkBlocks(saved, MiB);
    checkTimes(saved, 0);
  });
});
