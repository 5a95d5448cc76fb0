/** One process that saves many times, and sends samples of what it holds as it goes on. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { childArgument } from '../../support/child.js';
import { plants } from '../endurance/plants.js';
import { takeSample } from '../endurance/samples.js';
import { Saver } from '../endurance/saver.js';
import { State } from '../endurance/state.js';
import { Dice } from '../misuse/dice.js';
import type { EnduranceArgument, EnduranceMessage } from '../endurance.js';

const { folder, saves, samples, seed, plant } = childArgument() as EnduranceArgument;
const leak = plant === undefined ? undefined : plants[plant]!.leak;

function send(message: EnduranceMessage): Promise<void> {
  return new Promise((resolve) => process.send?.(message, () => { resolve(); }));
}

const root = join(folder, 'root');
mkdirSync(root);
const saver = new Saver(new Dice(seed), root, folder, new State(folder));
let sampled = 0;
while (saver.ends.published! < saves) {
  await saver.next();
  leak?.(root);
  if (saver.ends.published! < ((sampled + 1) * saves) / samples) continue;
  sampled += 1;
  await send({ sample: await takeSample(saver.ends.published!, folder) });
}
await saver.close();
await send({ ends: saver.ends });
process.exit();
