import { mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { makeMemory } from '../../support/wasm.js';
import { MiB } from '../../support/bytes.js';
import type { Measure } from './flat.js';

const held: unknown[] = [];

/** Leaks on purpose, after each save, and what each must be seen in. */
export const plants: Readonly<Record<string, { readonly seenIn: Measure; readonly leak: (root: string) => void }>> = {
  descriptor: { seenIn: 'descriptors', leak: () => { openSync('/dev/null', 'r'); } },
  mapping: { seenIn: 'mappings', leak: () => { for (let count = 0; count < 8; count += 1) held.push(makeMemory({ initial: 1, maximum: 1 })); } },
  memory: { seenIn: 'residentBytes', leak: () => { held.push(new Uint8Array(4 * MiB).fill(1)); } },
  heap: { seenIn: 'heapBytes', leak: () => { held.push(Array.from({ length: 20_000 }, (_, index) => ({ index }))); } },
  thread: { seenIn: 'threads', leak: () => { held.push(new Worker('setInterval(() => 1, 1000)', { eval: true })); } },
  directory: { seenIn: 'names', leak: (root) => { mkdirSync(join(root, `left-${held.push(root)}`)); } },
};
