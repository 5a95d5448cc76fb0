/** Opens, reads and verifies the checkpoint of a step as fast as it can while others remove and replace it. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { type Checkpoint, latestCheckpoint, openCheckpoint, SnapshardError } from 'snapshard';
import { childArgument } from '../child.js';

const { root, seconds } = childArgument() as { root: string; seconds: number };
const options = { stagingBytes: 2 ** 23, blockBytes: 2 ** 21 };
const seen: Record<string, number> = {};
const count = (what: string): void => {
  seen[what] = (seen[what] ?? 0) + 1;
};

/** All bytes of all tensors are the number that the metadata tells. */
async function readAll(checkpoint: Checkpoint): Promise<void> {
  for (const [name, { data }] of await checkpoint.readAll()) {
    if (!data.every((byte) => byte === checkpoint.metadata.fill)) throw new Error(`${name} is of another save.`);
  }
}

const ways: Record<string, (checkpoint: Checkpoint) => Promise<void>> = {
  readAll,
  async file(checkpoint) {
    await checkpoint.file('config.json');
  },
  async verify(checkpoint) {
    const { damaged } = await checkpoint.verify();
    if (damaged.length > 0) throw new Error(`Called damaged: ${JSON.stringify(damaged)}`);
  },
  async slice(checkpoint) {
    await checkpoint.read('b', { origin: [1], shape: [5] });
  },
};

async function turn(way: string, open: () => Promise<Checkpoint>): Promise<void> {
  try {
    await using checkpoint = await open();
    // Now and then long enough for another to take its place.
    await setTimeout(Math.random() < 0.5 ? 0 : 100);
    await ways[way]!(checkpoint);
    count(`${way}: well`);
  } catch (error) {
    const code = error instanceof SnapshardError ? error.code : '';
    count(code === 'ERR_SNAPSHARD_NOT_FOUND' ? `${way}: gone` : `${way}: ${code} ${String(error)}`);
  }
}

/** On a slow machine, others are mostly faster. */
function hasSeenAll(): boolean {
  const isWell = (way: string): boolean => (seen[`${way}: well`] ?? 0) > 0;
  return Object.keys(ways).every(isWell) && Object.keys(seen).some((outcome) => outcome.endsWith('gone'));
}

const end = performance.now() + seconds * 1000;
const latest = end + 10 * seconds * 1000;
while (performance.now() < end || (!hasSeenAll() && performance.now() < latest)) {
  for (const way of Object.keys(ways)) {
    const step = readdirSync(root).findLast((name) => name.startsWith('step-'));
    if (step !== undefined) await turn(way, () => openCheckpoint(join(root, step), options));
    await turn(way, () => latestCheckpoint(root, options));
  }
}
process.send?.(seen);
process.disconnect();
