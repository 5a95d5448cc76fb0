import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, expect } from 'vitest';
import { patience_ms, RankProcess } from './rank_process.js';

export * from './rank_process.js';

export interface RankProcesses {
  /** Processes that no rank of this test is in yet. */
  take(count: number): RankProcess[];
}

/** Gives the tests of a file processes, the same ones again as long as they live: starting them is most of the work. */
export function useRankProcesses(): RankProcesses {
  const idle: RankProcess[] = [];
  const taken: RankProcess[] = [];
  afterEach(async () => {
    const used = taken.splice(0);
    const left = await Promise.all(used.map(leaveIntact));
    idle.push(...left.flat());
    expect(used.map(({ complaints }) => complaints).join('')).toBe('');
  });
  afterAll(async () => {
    await Promise.all(idle.splice(0).map((process) => process.kill()));
  });
  return {
    take: (count) => {
      const processes = Array.from({ length: count }, () => idle.pop() ?? new RankProcess());
      taken.push(...processes);
      return processes;
    },
  };
}

async function leaveIntact(process: RankProcess): Promise<RankProcess[]> {
  if (!process.isIntact) return [];
  process.resume();
  const reply = await Promise.race([process.ask({ kind: 'reset' }), sleep(patience_ms, undefined, { ref: false })]);
  if (reply !== undefined && 'value' in reply) return [process];
  await process.kill();
  throw new Error(reply === undefined ? 'A rank does not end.' : reply.failure.message);
}
