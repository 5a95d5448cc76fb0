import { beforeAll, vi } from 'vitest';
import { mockSurroundings } from './surroundings.js';

mockSurroundings();

// A manifest says when the save was asked for.
beforeAll(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: 0 });
});
