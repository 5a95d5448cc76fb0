import { describe, expect, it } from 'vitest';
import { runChild } from '../support/child.js';
import type { TargetTally } from '../support/children/pulled_targets.js';
import type { Way } from '../support/pulled.js';
import { useRoot } from '../support/root.js';

const root = useRoot();
const rounds = 12;
const ways: Way[] = ['transfer', 'post', 'method', 'empty', 'shrink', 'extend', 'grow', 'growShared'];

describe('a target that JavaScript pulls away while threads write to it', () => {
  it.each(ways)('fails the read, or comes too late: %s', async (way) => {
    const child = await runChild('pulled_targets', { root: root.path, way, rounds });
    expect([child.code, child.signal], child.output).toEqual([0, null]);
    const tally = child.messages[0] as TargetTally;
    expect(tally.wrong).toEqual([]);
    expect(tally.whole + tally.refused).toBe(rounds);
    // A memory that is shared may grow at any time: what was there stays where it was.
    if (way === 'growShared') expect(tally.whole).toBe(rounds);
    else expect(tally.refused).toBeGreaterThan(0);
  });
});
