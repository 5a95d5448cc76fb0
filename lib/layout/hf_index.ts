import type { Plan } from './plan.js';

/**
 * The Hugging Face index of the `model` group: `undefined` when the plan has no such group, or comes in slices.
 * Built once for a plan, giving way to the event loop.
 */
export function buildIndex(_plan: Plan): Promise<{ path: string; bytes: Uint8Array } | undefined> {
  throw new Error('being written');
}
