import { describe, expect, it } from 'vitest';
import { runChild } from '../support/child.js';
import type { Tally } from '../support/children/pulled_away.js';
import type { Way } from '../support/pulled.js';
import { namesIn, useRoot } from '../support/root.js';

const root = useRoot();
const rounds = 12;
const ways: Way[] = ['transfer', 'post', 'method', 'empty', 'shrink', 'extend', 'grow', 'growShared'];

describe('a source that JavaScript pulls away while threads read it', () => {
  it.each(ways.flatMap((way) => [true, false].map((inPool) => ({ way, inPool }))))(
    'fails the save, or comes too late: $way, fits in the pool: $inPool',
    async ({ way, inPool }) => {
      const child = await runChild('pulled_away', { root: root.path, way, rounds, inPool });
      expect([child.code, child.signal], child.output).toEqual([0, null]);
      const tally = child.messages[0] as Tally;
      expect(tally.wrong).toEqual([]);
      expect(tally.whole + tally.refused).toBe(rounds);
      // A memory that is shared may grow at any time: what was there stays where it was.
      if (way === 'growShared') expect(tally.whole).toBe(rounds);
      else expect(tally.refused).toBeGreaterThan(0);
      expect(namesIn(root.path)).toHaveLength(tally.whole + 1);
    },
  );
});
