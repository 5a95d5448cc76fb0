import { vi } from 'vitest';

/**
 * The code of the ranks is the real one. What the model stands for is what lies below it (the native core) and around
 * it (time, chance). To be called before that code is imported.
 */
export function mockSurroundings(): void {
  vi.doMock('../../lib/binding.js', () => import('./model_binding.js'));
  vi.doMock('../../lib/ranks/clock.js', async () => {
    const { RankRun } = await import('./rank_run.js');
    return { systemClock: { now: () => RankRun.current.now(), sleep: () => RankRun.current.sleep() } };
  });
  vi.doMock('../../lib/save/deadline.js', async () => ({ Deadline: (await import('./rank_run.js')).ModelDeadline }));
  vi.doMock('../../lib/store/nonce.js', async () => {
    const { RankRun } = await import('./rank_run.js');
    return { newNonce: () => RankRun.current.newNonce() };
  });
  vi.doMock('../../lib/layout/time_slices.js', () => ({ TimeSlices: NoSlices }));
}

/** Nothing is so long that it would have to give way. */
class NoSlices {
  readonly spent = false;
  readonly pause = (): Promise<void> => Promise.resolve();
}
