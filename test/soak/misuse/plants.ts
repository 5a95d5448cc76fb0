import { openSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Operation } from './program.js';

/** Faults on purpose, each of which must be found. */
export const plants = {
  crash: () => { process.abort(); },
  hang: ({ judge }) => { judge.call('planted', () => new Promise(() => undefined)); },
  rejection: () => { void Promise.reject(new Error('planted')); },
  uncoded: ({ judge }) => { judge.call('planted', () => { throw new TypeError('planted'); }); },
  descriptor: ({ scratch }) => {
    const path = join(scratch, 'planted');
    writeFileSync(path, '');
    openSync(path, 'r');
  },
  damage: ({ root }) => {
    for (const name of readdirSync(root).filter((each) => each.startsWith('step-'))) {
      writeFileSync(join(root, name, 'manifest.json'), '{}');
    }
  },
  leftover: ({ root }) => { writeFileSync(join(root, '.dead-0'), ''); },
} satisfies Record<string, Operation>;

export type Plant = keyof typeof plants;
