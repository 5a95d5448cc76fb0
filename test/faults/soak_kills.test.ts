import { expect, it } from 'vitest';
import { expectKilledAtWork, killOne, soak } from '../soak/kills.js';
import { MiB } from '../support/bytes.js';
import { useRoot } from '../support/root.js';

const root = useRoot();
const whyNot = soak.whyNot();
if (whyNot !== undefined) console.warn(`skipped: ${whyNot}`);
/** One of each moment. */
const seeds = Array.from({ length: 20 }, (_, index) => 2000 + index);

// On a busy machine a writer may be through before its moment comes, which tells nothing.
it.skipIf(whyNot !== undefined).each(seeds)('a writer that ends at work loses nothing (seed %i)', { retry: 3 }, async (seed) => {
  await killOne(seed, root.path, 48 * MiB);
});

it('a writer that was idle, or ended otherwise than it should have, does not count', () => {
  const moment = { name: 'a moment', end: { after: 0, ending: 'kill', delay_ms: 1 } } as const;
  const report = { code: null, signal: 'SIGKILL', lines: ['opening', 'opened', 'begun 1'], errors: '' } as const;
  expectKilledAtWork(moment, report);
  expect(() => { expectKilledAtWork(moment, { ...report, lines: ['opening', 'opened'] }); }).toThrow('idle');
  expect(() => { expectKilledAtWork(moment, { ...report, code: 0, signal: null }); }).toThrow();
  const sweeping = { ...moment, sweeping: true };
  expect(() => { expectKilledAtWork(sweeping, report); }).toThrow('idle');
});
