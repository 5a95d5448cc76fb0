import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Export } from '../server.js';
import type { Part, Trial } from '../trial.js';
import { endIdle } from './fleet.js';
import { scenarios, type Latencies } from './scenarios.js';

function describe(latencies: Latencies): string {
  if (latencies.length === 0) return '';
  const sorted = [...latencies].sort((left, right) => left - right);
  const [least, median, most] = [sorted[0]!, sorted[Math.floor(sorted.length / 2)]!, sorted.at(-1)!];
  return `durable to resolved on all ranks: ${median.toFixed(0)} ms (${least.toFixed(0)} to ${most.toFixed(0)})`;
}

/** Makes a directory through the first mount, and names it as each has it. */
function makeRoots(mounts: readonly string[], name: string): string[] {
  mkdirSync(join(mounts[0]!, name));
  return mounts.map((mount) => join(mount, name));
}

/** @param places one directory, as each of two clients has it */
function trialsOf(mounts: string, places: readonly string[]): Trial[] {
  return scenarios.map(({ name, run }, index) => ({
    mounts,
    name,
    run: async () => describe(await run(makeRoots(places, `${mounts.replace(/\W/g, '-')}-${index}`))),
  }));
}

/** Eight ranks save over two mounts of one directory, with the default options of each. */
export function ranks(): Part {
  const exported = new Export({ bytes: 2 ** 30 });
  const plain = trialsOf('no NFS', [exported.path, exported.path]);
  const [four, three] = (['4.2', '3'] as const).map((version) =>
    trialsOf(`NFS ${version}`, [exported.mount(1, version), exported.mount(2, version)]),
  );
  return {
    trials: [...plain, ...four!, ...three!],
    end: async () => {
      await endIdle();
      exported.remove();
    },
  };
}
