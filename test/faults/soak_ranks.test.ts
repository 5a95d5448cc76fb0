import { expect, it } from 'vitest';
import { ranksTrial } from '../soak/ranks.js';
import { useRoot } from '../support/root.js';

const root = useRoot();

// Killed, stopped, closed, aborted when staged; the soak has the other faults too.
it.each([0, 3, 4, 6])('what one of several ranks suffers, the others are told, and the next run works (seed %i)', async (seed) => {
  await ranksTrial(seed, root.path, { deadlineMs: 3000, patience_ms: 60_000 });
});

it('ranks that are told too late are found', async () => {
  const late = ranksTrial(0, root.path, { deadlineMs: 20_000, patience_ms: -39_000, share: 0.1 });
  await expect(late).rejects.toThrow('did not end within 1000 ms');
});
