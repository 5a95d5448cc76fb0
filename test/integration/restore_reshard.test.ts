import { openCheckpoint, type Tensor } from 'snapshard';
import { describe, expect, it } from 'vitest';
import { MiB, randomBytes } from '../support/bytes.js';
import { cutAlong, type Part, partOf, saveAsRanks } from '../support/restored.js';
import { useRoot } from '../support/root.js';

const root = useRoot();

/** Whole tensors, and along which dimension ranks cut them when they save, and when they read. */
const wholes = {
  rows: { dtype: 'BF16', shape: [1000, 777], bytes: 2, saved: 0, read: 0 },
  columns: { dtype: 'F32', shape: [513, 1024], bytes: 4, saved: 1, read: 1 },
  turned: { dtype: 'F16', shape: [300, 2049], bytes: 2, saved: 0, read: 1 },
  cube: { dtype: 'F8_E4M3', shape: [37, 41, 53], bytes: 1, saved: 1, read: 2 },
  narrow: { dtype: 'I64', shape: [3], bytes: 8, saved: 0, read: 0 },
  bools: { dtype: 'BOOL', shape: [9, 5], bytes: 1, saved: 1, read: 0 },
} as const;

type Name = keyof typeof wholes;
const names = Object.keys(wholes) as Name[];
const data = new Map(names.map((name) => {
  const { shape, bytes } = wholes[name];
  return [name, randomBytes(shape.reduce((product: number, size) => product * size, bytes))];
}));
const scalar = randomBytes(4);

const isEmpty = ({ shape }: Part): boolean => shape.includes(0);

function tensorsOf(rank: number, worldSize: number): [string, Tensor][] {
  const tensors: [string, Tensor][] = names.flatMap((name) => {
    const { dtype, shape, bytes, saved } = wholes[name];
    const part = cutAlong(shape, saved, worldSize)[rank]!;
    if (isEmpty(part)) return [];
    const own = { dtype, ...part, globalShape: shape, data: partOf(data.get(name)!, bytes, shape, part) };
    return [[name, own]];
  });
  if (rank === 0) tensors.push(['empty', { dtype: 'F32', shape: [0, 4], data: new Uint8Array() }]);
  tensors.push(['scalar', { dtype: 'F32', shape: [], data: scalar, replicas: 'all' }]);
  tensors.push(['own', { dtype: 'I32', shape: [1], globalShape: [worldSize], origin: [rank], data: Int32Array.of(rank) }]);
  return tensors;
}

describe('what N ranks saved is read by M ranks', () => {
  it.each([
    [1, 3],
    [2, 5],
    [3, 2],
    [4, 1],
    [5, 4],
  ])('%i to %i, each getting its slices, equal byte for byte', async (saving, reading) => {
    const { path } = await saveAsRanks(root.path, saving, (rank) => tensorsOf(rank, saving));
    await using checkpoint = await openCheckpoint(path, { stagingBytes: 8 * MiB, blockBytes: 2 * MiB });
    expect(checkpoint.worldSize).toBe(saving);
    for (let rank = 0; rank < reading; rank += 1) {
      const parts = names.map((name) => cutAlong(wholes[name].shape, wholes[name].read, reading)[rank]!);
      const targets = names.map((name, index) => {
        const part = parts[index]!;
        const memory = new Uint8Array(part.shape.reduce((product, size) => product * size, wholes[name].bytes));
        return { name, part, memory };
      });
      await checkpoint.readInto(targets.map(({ name, part, memory }) => [name, { data: memory, ...part }] as const));
      for (const { name, part, memory } of targets) {
        const expected = partOf(data.get(name)!, wholes[name].bytes, wholes[name].shape, part);
        expect(expected.equals(memory), name).toBe(true);
      }
    }
  });

  it('and read whole, streamed, and verified', async () => {
    const { path } = await saveAsRanks(root.path, 3, (rank) => tensorsOf(rank, 3));
    await using checkpoint = await openCheckpoint(path, { stagingBytes: 8 * MiB });
    const all = await checkpoint.readAll();
    for (const name of names) {
      expect(data.get(name)!.every((byte, index) => byte === all.get(name)!.data[index]), name).toBe(true);
      const pieces: Uint8Array[] = [];
      for await (const piece of checkpoint.stream(name, { chunkBytes: MiB })) pieces.push(piece);
      expect(Buffer.concat(pieces).equals(data.get(name)!), name).toBe(true);
    }
    expect(new Int32Array(all.get('own')!.data.buffer)).toEqual(Int32Array.of(0, 1, 2));
    expect(Buffer.from(all.get('scalar')!.data).equals(scalar)).toBe(true);
    expect(all.get('empty')!.data).toHaveLength(0);
    expect(await checkpoint.verify()).toMatchObject({ damaged: [] });
  });
});
