import { afterEach, describe, expect, it, vi } from 'vitest';
import { binding, type StoreHandle } from '../../lib/binding.js';
import { CheckpointWriter } from '../../lib/save/writer.js';
import { MiB } from '../support/bytes.js';
import { useRoot } from '../support/root.js';

const root = useRoot();
afterEach(() => {
  vi.restoreAllMocks();
});

/** What one rank asks of its store, but for looks at directories: how many of those depends on how long it waits. */
interface Operations {
  directories: number;
  files: number;
  renames: number;
  syncs: number;
  reads: number;
  removals: number;
}

type Counted = 'makeDirectory' | 'writeFiles' | 'rename' | 'syncDirectories' | 'readFile' | 'readTail' | 'removeTree';

/** Counts from now on, for each store. */
function countOperations(): Map<StoreHandle, Operations> {
  const counts = new Map<StoreHandle, Operations>();
  const add = (handle: StoreHandle, kind: keyof Operations, count: number): void => {
    const none = { directories: 0, files: 0, renames: 0, syncs: 0, reads: 0, removals: 0 };
    const before = counts.get(handle) ?? none;
    counts.set(handle, { ...before, [kind]: before[kind] + count });
  };
  const count = (name: Counted, kind: keyof Operations, size: (second: unknown) => number = () => 1): void => {
    const original = Reflect.get(binding, name) as (...parameters: unknown[]) => unknown;
    vi.spyOn(binding, name).mockImplementation(((...parameters: [StoreHandle, unknown]) => {
      add(parameters[0], kind, size(parameters[1]));
      return original(...parameters);
    }) as never);
  };
  const length = (list: unknown): number => (list as unknown[]).length;
  count('makeDirectory', 'directories');
  count('writeFiles', 'files', length);
  count('rename', 'renames');
  count('syncDirectories', 'syncs', length);
  count('readFile', 'reads');
  count('readTail', 'reads');
  count('removeTree', 'removals');
  return counts;
}

function open(worldSize: number): Promise<CheckpointWriter[]> {
  const options = { worldSize, runId: 'run', stagingBytes: 2 * MiB, blockBytes: MiB, threads: 1 };
  const opened = Array.from({ length: worldSize }, (_, rank) => CheckpointWriter.open(root.path, { ...options, rank }));
  return Promise.all(opened);
}

function save(writers: readonly CheckpointWriter[], step: number): Promise<unknown> {
  const saves = writers.map(async (writer, rank) => {
    const globalShape = [4 * writers.length, 8];
    const rows = { dtype: 'U8', shape: [4, 8], globalShape, origin: [4 * rank, 0], data: new Uint8Array(32) } as const;
    const norm = { dtype: 'U8', shape: [4096], data: new Uint8Array(4096), replicas: 'all' } as const;
    await writer.save({ step, tensors: { rows, norm }, files: { 'config.json': '{}', [`rng-${rank}`]: '' } });
  });
  return Promise.all(saves);
}

/** What each rank did in one save, rank 0 first. */
async function operationsOf(worldSize: number): Promise<Operations[]> {
  const writers = await open(worldSize);
  await save(writers, 1);
  const counts = countOperations();
  await save(writers, 2);
  vi.restoreAllMocks();
  await Promise.all(writers.map((writer) => writer.close()));
  return [...counts.values()].sort((left, right) => right.directories - left.directories);
}

describe('a save of several ranks', () => {
  it.each([2, 8, 32])('costs each as many operations on the store, however many they are: %i', async (worldSize) => {
    const [leader, ...followers] = await operationsOf(worldSize);
    expect(leader).toEqual({ directories: 2, files: 5, renames: 2, syncs: 5, reads: worldSize, removals: 0 });
    const each = { directories: 0, files: 4, renames: 1, syncs: 3, reads: 1, removals: 0 };
    expect(followers).toEqual(Array.from({ length: worldSize - 1 }, () => each));
  });
});
