import { expect, it } from 'vitest';
import { momentOf } from '../soak/kill/moments.js';
import { endedAtWork, killAtWork, soak } from '../soak/kills.js';
import { MiB } from '../support/bytes.js';
import { useRoot } from '../support/root.js';

const root = useRoot();
const whyNot = soak.whyNot();
if (whyNot !== undefined) console.warn(`skipped: ${whyNot}`);
/** One of each moment. */
const seeds = Array.from({ length: 20 }, (_, index) => 2000 + index);

it.skipIf(whyNot !== undefined).each(seeds)('a writer that ends at work loses nothing (seed %i)', async (seed) => {
  expect(await killAtWork(seed, root.path, 48 * MiB)).toMatchObject({ moment: momentOf(seed).name, atWork: true });
});

it('a writer that was idle does not count, and one that ended otherwise than it should have is a finding', () => {
  const moment = { name: 'a moment', end: { after: 0, ending: 'kill', share: 0 } } as const;
  const lines = ['opening', 'opened', 'begun 1'];
  const report = { code: null, signal: 'SIGKILL', lines, errors: '', hung: false } as const;
  expect(endedAtWork(moment, report)).toBe(true);
  expect(endedAtWork(moment, { ...report, lines: ['opening', 'opened'] })).toBe(false);
  expect(endedAtWork({ ...moment, sweeping: true }, report)).toBe(false);
  expect(endedAtWork(moment, { ...report, code: 0, signal: null, lines: [...lines, 'closed'] })).toBe(false);
  expect(() => endedAtWork(moment, { ...report, code: 0, signal: null })).toThrow('begun 1');
  expect(() => endedAtWork(moment, { ...report, signal: 'SIGSEGV' })).toThrow('begun 1');
  expect(() => endedAtWork(moment, { ...report, hung: true })).toThrow('hung');
});

it('moments spread evenly: of 20 of a kind, two or more lie in each fifth', () => {
  const shares = Array.from({ length: 20 }, (_, turn) => momentOf(3 + 20 * turn).end?.share ?? 1);
  for (let fifth = 0; fifth < 5; fifth += 1) {
    expect(shares.filter((share) => Math.floor(share * 5) === fifth).length).toBeGreaterThanOrEqual(2);
  }
  expect(momentOf(3, 1)).not.toEqual(momentOf(3));
});
