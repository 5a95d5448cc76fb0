import { listGenerations } from './generations.js';
import { lookAt, type StepName, stepNames } from './published.js';
import { discard, retire } from './retire.js';
import type { Store } from './store.js';

/**
 * Removes generations of which a higher one is intact, so that no reader takes them any more: whoever published that
 * has died before it removed them. Where the highest is damaged all stay. What cannot be removed is left.
 * @param names in the root
 */
export async function sweepSuperseded(store: Store, names: readonly string[]): Promise<void> {
  const newestFirst = stepNames(names);
  const replaced = newestFirst.filter(({ step }, at) => {
    return newestFirst[at + 1]?.step === step && newestFirst[at - 1]?.step !== step;
  });
  for (const newest of replaced) await sweepBelow(store, newest).catch(() => undefined);
}

async function sweepBelow(store: Store, newest: StepName): Promise<void> {
  if ((await lookAt(store, newest)).kind !== 'intact') return;
  // No power loss may take its name back once the others are gone: who gave it that may have died before the sync.
  await store.syncDirectories(['']);
  const generations = await listGenerations(store, newest.step);
  // Else somebody is at work on the step: a name that was removed meanwhile can stand for another checkpoint by now.
  if (generations.at(-1)?.name !== newest.name) return;
  const retired: string[] = [];
  for (const { name } of generations.slice(0, -1)) retired.push(...(await retire(store, [name]).catch(() => [])));
  await discard(store, retired);
}
