import { describe, expect, it } from 'vitest';
import { randomWalk, walkKinds } from './walks.js';

/** How many walks, and with which seed the first; every walk tells its own seed when it finds something. */
const walks = Number(process.env.SNAPSHARD_MODEL_WALKS ?? (process.env.SNAPSHARD_MODEL === 'long' ? 100_000 : 1000));
const firstSeed = Number(process.env.SNAPSHARD_MODEL_SEED ?? 1);

describe('ways that chance decides', () => {
  it(`${walks} walks`, async () => {
    const outcomes = new Set<string>();
    let events = 0;
    for (let seed = firstSeed; seed < firstSeed + walks; seed += 1) {
      const walked = await randomWalk(walkKinds[seed % walkKinds.length]!, seed);
      events += walked.events;
      outcomes.add(walked.outcome);
    }
    console.log(`${walks} walks, ${events} events, ${outcomes.size} outcomes`);
    expect(outcomes.size).toBeGreaterThan(Math.min(walks, 100) / 10);
  });
});
