import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { endure } from '../soak/endurance.js';
import { grown } from '../soak/endurance/flat.js';
import { plants } from '../soak/endurance/plants.js';
import type { Sample } from '../soak/endurance/samples.js';
import { useRoot } from '../support/root.js';

const root = useRoot();
const saves = 1200;

describe('one process', () => {
  it(`makes ${saves} saves of many kinds, restores and removes them, and stays as it was`, async () => {
    const { samples, ends } = await endure({ folder: root.path, saves, samples: 40, seed: 1 });
    expect(samples).toHaveLength(40);
    expect(ends).toMatchObject({ published: saves });
    for (const end of ['aborted', 'failed', 'refused', 'restored', 'saved by two ranks', 'saved by a worker']) {
      expect(ends[end], end).toBeGreaterThan(0);
    }
  });

  it.each(Object.entries(plants))('that leaks on purpose is found: %s', async (plant, { seenIn }) => {
    const leaking = endure({ folder: root.path, saves: 48, samples: 12, seed: 1, plant });
    await expect(leaking).rejects.toThrow(new RegExp(`${seenIn} grew from`));
  });

  it('that crashes is found', async () => {
    const nowhere = `${root.path}/nowhere`;
    await expect(endure({ folder: nowhere, saves: 8, samples: 4, seed: 1 })).rejects.toThrow('ended by 1');
    expect(existsSync(nowhere)).toBe(false);
  });
});

it('a measure that jumps about is flat, and one that climbs is not', () => {
  const sample = (index: number, descriptors: number): Sample => ({
    ...{ saves: index, descriptors, rings: 1, eventDescriptors: 5, inotifyDescriptors: 0, unlinkedFiles: 0, threads: 9 },
    ...{ mappings: 100, residentBytes: 1e8, heapBytes: 1e7, externalBytes: 1e6, diskBytes: 1e6, names: 20 },
  });
  const of = (descriptors: (index: number) => number): Sample[] =>
    Array.from({ length: 20 }, (_, index) => sample(index, descriptors(index)));
  expect(grown(of((index) => (index % 5 === 0 ? 40 : 30)))).toEqual([]);
  expect(grown(of((index) => (index < 4 ? 20 : 30)))).toEqual([]);
  expect(grown(of((index) => 30 + Math.floor(index / 6)))).toEqual(['descriptors grew from 31 to 32']);
});
