import { parseStepDirectory } from '../layout/names.js';
import type { Store } from './store.js';

/** One published directory of a step. */
export interface Generation {
  readonly name: string;
  readonly generation: number;
}

/** The published generations of a step, oldest first; empty where the step is not published. */
export async function listGenerations(store: Store, step: number): Promise<Generation[]> {
  const names = await store.listRoot();
  return names
    .map((name) => ({ name, parsed: parseStepDirectory(name) }))
    .flatMap(({ name, parsed }) => (parsed?.step === step ? [{ name, generation: parsed.generation }] : []))
    .sort((a, b) => a.generation - b.generation);
}
