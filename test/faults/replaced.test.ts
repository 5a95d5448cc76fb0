import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { expectInvariant, replacedIn } from '../soak/invariant.js';
import { lastDoing, lastTold, runVictim } from '../soak/kill/victim.js';
import { soak } from '../soak/kills.js';
import { MiB } from '../support/bytes.js';
import { useRoot } from '../support/root.js';

const root = useRoot();
const whyNot = soak.whyNot();
if (whyNot !== undefined) console.warn(`skipped: ${whyNot}`);

/** Renames: the first save is published, its replacement is published, what it replaced is retired. */
const retiring = { name: 'retiring', end: undefined, call: { names: 'renameat2', time: 3 } };

it.skipIf(whyNot !== undefined)('the next writer removes what one that was killed had replaced', async () => {
  const report = await runVictim({ root: root.path, bytes: 16 * MiB, firstStep: 1, moment: retiring });
  expect(lastDoing(report)).toEqual({ doing: 'begun', step: 1 });
  expect(readdirSync(root.path).sort()).toEqual(['step-0000000001', 'step-0000000001.g2']);
  expect(replacedIn(root.path)).toEqual(['step-0000000001']);
  await expectInvariant(root.path, lastTold(report), 2);
  expect(readdirSync(root.path)).toEqual(['step-0000000001.g2']);
});
