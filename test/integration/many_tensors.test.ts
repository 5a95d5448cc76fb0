import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { CheckpointWriter, openCheckpoint, type Checkpoint } from 'snapshard';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { removeFolder } from '../support/disk_folder.js';
import { smallWriter } from '../support/restored.js';
import { diskFolder } from '../support/root.js';

const count = 20_000;
const nameOf = (index: number): string => `layers.${index}`;
let root: string;
let checkpoint: Checkpoint;

beforeAll(async () => {
  root = mkdtempSync(join(diskFolder(), 'snapshard-test-'));
  const all = Uint32Array.from({ length: count }, (_, index) => index);
  const tensors = Array.from(all, (index) => [nameOf(index), all.subarray(index, index + 1)] as const);
  await using writer = await CheckpointWriter.open(root, smallWriter);
  checkpoint = await openCheckpoint((await writer.save({ step: 1, tensors: new Map(tensors) })).path);
});

afterAll(async () => {
  await checkpoint.close();
  removeFolder(root);
});

/** How often an operation gives way to the event loop, where each look at the clock finds its time spent. */
async function timesGivenWay(operation: () => PromiseLike<unknown>): Promise<number> {
  let now_ms = performance.now();
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now_ms += 100));
  const turns = vi.spyOn(globalThis, 'setImmediate');
  try {
    await operation();
    return turns.mock.calls.length;
  } finally {
    clock.mockRestore();
    turns.mockRestore();
  }
}

describe('the event loop goes on', () => {
  it('while many small tensors are verified', async () => {
    expect(await timesGivenWay(() => checkpoint.verify())).toBeGreaterThan(count / 128);
  });

  it('while they are read into memory of the caller\'s, in any order', async () => {
    const all = new Uint32Array(count);
    const targets = new Map<string, Uint32Array>();
    for (let index = count - 1; index >= 0; index -= 1) targets.set(nameOf(index), all.subarray(index, index + 1));
    const given = await timesGivenWay(() => {
      const read = checkpoint.readInto(targets);
      targets.clear();
      return read;
    });
    expect(given).toBeGreaterThan(count / 128);
    expect(all.every((value, index) => value === index)).toBe(true);
  });

  it('while all are read', async () => {
    let all = new Map<string, { readonly data: Uint8Array }>();
    expect(await timesGivenWay(async () => (all = await checkpoint.readAll()))).toBeGreaterThan(count / 128);
    expect(all.size).toBe(count);
    expect(Buffer.from(all.get(nameOf(777))!.data).readUInt32LE()).toBe(777);
  });
});

it('the tensors of a checkpoint are listed as a map lists them', () => {
  const { tensors } = checkpoint;
  const entries = [...tensors];
  expect([tensors.size, entries.length]).toEqual([count, count]);
  expect([...tensors.keys()]).toEqual(entries.map(([name]) => name));
  expect([...tensors.values()]).toEqual(entries.map(([, info]) => info));
  expect(tensors.get(nameOf(5))).toBe(new Map(tensors).get(nameOf(5)));
  expect([tensors.has(nameOf(5)), tensors.has('other'), tensors.get('other')]).toEqual([true, false, undefined]);
  const visited: unknown[] = [];
  tensors.forEach((info, name, all) => visited.push([name, info, all === tensors]));
  expect(visited).toEqual(entries.map(([name, info]) => [name, info, true]));
  expect(inspect(tensors)).toBe(inspect(new Map(tensors)));
});
