import { describe, expect, it } from 'vitest';
import { runChild } from '../support/child.js';
import type { EnduranceReport, Sample } from '../support/children/many_saves.js';
import { MiB } from '../support/bytes.js';
import { namesIn, useRoot } from '../support/root.js';

const root = useRoot();
const saves = 2000;
const kept = 2;

/** The first saves grow heaps and caches to their working size. */
const settled = 200;

function largest(samples: readonly Sample[], field: keyof Sample): number {
  return Math.max(...samples.map((sample) => sample[field]));
}

describe('one process', () => {
  it(`makes ${saves} saves of 64 MiB, one in ten aborted or failed, and stays as it was`, async () => {
    const child = await runChild('many_saves', { root: root.path, saves, kept, settled });
    expect(child, child.output).toMatchObject({ code: 0, signal: null });
    const { samples, published, aborted, failed } = child.messages[0] as EnduranceReport;
    expect({ published, interrupted: aborted + failed }).toEqual({ published: 1800, interrupted: 200 });
    const [first] = samples;
    const last = samples.at(-1);
    if (first === undefined || last === undefined) throw new Error('no samples');
    for (const sample of samples) {
      expect(sample.descriptors).toBe(first.descriptors);
      expect(sample.threads).toBe(first.threads);
      expect(sample.directories).toBeLessThanOrEqual(kept);
      expect(sample.unlinkedFiles).toBe(0);
    }
    // The collector's heap breathes by a few MiB; a save that leaked but 64 KiB would show as 115 MiB.
    const half = Math.floor(samples.length / 2);
    const growth = largest(samples.slice(half), 'residentBytes') - largest(samples.slice(0, half), 'residentBytes');
    expect(growth).toBeLessThan(32 * MiB);
    expect(namesIn(root.path)).toHaveLength(kept);
  });
});
