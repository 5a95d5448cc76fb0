import { beforeEach, describe, expect, it, vi } from 'vitest';
import { plants, type Plant } from './plants.js';
import { mockSurroundings } from './surroundings.js';

const walksMax = 3000;

beforeEach(() => {
  vi.resetModules();
  mockSurroundings();
});

/** The first thing that is found wrong with the code as it is now. */
async function firstViolation({ scenario }: Plant): Promise<string> {
  const { explore, scenarios } = await import('./scenarios.js');
  const { randomWalk, walkKinds } = await import('./walks.js');
  const { Violation } = await import('./checks.js');
  try {
    for (const each of scenarios.filter(({ name }) => name === scenario)) await explore(each);
    const walks = scenario === undefined ? walksMax : 0;
    for (let seed = 1; seed <= walks; seed += 1) await randomWalk(walkKinds[seed % walkKinds.length]!, seed);
  } catch (error) {
    if (error instanceof Violation) return error.message;
    throw error;
  }
  return 'nothing';
}

describe('a planted fault is found', () => {
  it.each(plants.map((plant, number) => ({ ...plant, number })))('$name', async ({ number, ...plant }) => {
    const path = `../../lib/${plant.file.replace(/ts$/, 'js')}`;
    vi.doMock(path, () => import(/* @vite-ignore */ `../../lib/${plant.file}?planted=${number}`));
    const found = await firstViolation(plant);
    vi.doUnmock(path);
    console.log(found.split('\n')[0]);
    expect(found).not.toBe('nothing');
  });
});
