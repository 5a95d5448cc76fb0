import { expect, it } from 'vitest';
import { runPrograms } from '../soak/misuse.js';
import type { Plant } from '../soak/misuse/plants.js';
import { useRoot } from '../support/root.js';

const root = useRoot();
const seeds = Array.from({ length: 120 }, (_, index) => 1 + index);

it('random programs that misuse the API find nothing, and do something', async () => {
  const { ends, ended } = await runPrograms(seeds, root.path);
  expect(ended).toBe(seeds.length);
  for (const end of ['save: done', 'read: done', 'readInto: done', 'verify: done', 'removeCheckpoint: done', 'read back']) {
    expect(ends.get(end), end).toBeGreaterThan(0);
  }
  for (const code of ['INVALID_ARGUMENT', 'SOURCE_DETACHED', 'CLOSED', 'STEP_EXISTS', 'NOT_FOUND']) {
    expect([...ends.keys()].join(' ')).toContain(`ERR_SNAPSHARD_${code}`);
  }
}, 300_000);

it.each<[Plant, RegExp]>([
  ['crash', /program 3: the process ended by SIGABRT/],
  ['hang', /program 3: hangs: planted/],
  ['rejection', /program 3: an unhandled rejection: Error: planted/],
  ['uncoded', /program 3: planted threw: an error without a code/],
  ['descriptor', /program 3: more is held than before: .*planted/],
  ['damage', /program \d+: .*is listed and damaged/],
  ['leftover', /program 3: left behind: \.dead-0/],
])('a planted fault is found: %s', async (plant, found) => {
  // Not every program has published anything.
  const planted = plant === 'damage' ? seeds.slice(0, 6) : [3];
  await expect(runPrograms(planted, root.path, { plant, deadline_ms: 5000 })).rejects.toThrow(found);
});
