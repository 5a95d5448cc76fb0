import { SnapshardError } from '../errors.js';
import { listGenerations } from './generations.js';
import { NativeStore } from './native_store.js';
import { discard, retire } from './retire.js';
import { requireRoot, requireStep } from './arguments.js';
import type { Store } from './store.js';

/**
 * Removes a published step, all its generations. Readers see it whole or not at all, after a power loss too.
 * @param root the directory that holds the checkpoints
 * @throws {SnapshardError} `ERR_SNAPSHARD_NOT_FOUND` when the root or the step is not there
 */
export async function removeCheckpoint(root: string, step: number): Promise<void> {
  requireRoot(root);
  requireStep(step);
  const store = await NativeStore.open(root, 'use');
  try {
    await removeStep(store, step);
  } finally {
    await store.close();
  }
}

/** The oldest generation goes first: were it to end half-way, readers still find the newest. */
export async function removeStep(store: Store, step: number): Promise<void> {
  const generations = await listGenerations(store, step);
  if (generations.length === 0) {
    const message = `Cannot remove step ${step}: ${store.root} holds no such checkpoint.`;
    throw new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', message, { path: store.root });
  }
  const names = generations.map((generation) => generation.name);
  await discard(store, await retire(store, names));
}
