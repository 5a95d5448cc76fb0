import { describe, expect, it } from 'vitest';
import { explore, longScenarios, scenarios } from './scenarios.js';

const long = process.env.SNAPSHARD_MODEL === 'long';

describe('all that can happen', () => {
  it.each([...scenarios, ...(long ? longScenarios : [])])('$name', async (scenario) => {
    const { states, events, ends, complete } = await explore(scenario);
    console.log(`${scenario.name}: ${states} states, ${events} events, ${ends} ends`);
    expect(complete).toBe(true);
  });
});
