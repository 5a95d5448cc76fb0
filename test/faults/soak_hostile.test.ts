import { expect, it } from 'vitest';
import { race, soak } from '../soak/hostile.js';
import type { HostilePlant } from '../soak/hostile/operations.js';
import { useRoot } from '../support/root.js';

const root = useRoot();
const whyNot = soak.whyNot();
if (whyNot !== undefined) console.warn(`skipped: ${whyNot}`);

/** An odd one is without openat2(2). */
it.skipIf(whyNot !== undefined).each([1, 2])('swapped links lead nowhere (seed %i)', async (seed) => {
  const { ends, swaps } = await race(seed, root.path, { count: 60, commands: 3 });
  expect(swaps).toBeGreaterThan(50);
  expect(ends.get('save: done')).toBeGreaterThan(0);
  expect(ends.get('latest: done')).toBeGreaterThan(0);
});

it.skipIf(whyNot !== undefined).each<[HostilePlant, RegExp]>([
  ['write', /Something outside the root was touched/],
  ['read', /gave away what lies outside/],
  ['uncoded', /an error without a code: Error: planted/],
  ['hang', /planted hangs/],
])('a planted fault is found: %s', async (plant, found) => {
  const patience = plant === 'hang' ? { deadline_ms: 10_000 } : {};
  await expect(race(4, root.path, { count: 30, commands: 0, plant, ...patience })).rejects.toThrow(found);
});
