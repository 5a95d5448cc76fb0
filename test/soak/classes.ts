import { readdirSync } from 'node:fs';
import type { SoakClass } from './soak_class.js';

const folder = new URL('.', import.meta.url);
const runner = new Set(['main.ts', 'classes.ts', 'runner.ts', 'soak_class.ts', 'invariant.ts']);

/** All classes: each module beside this one that exports `soak`. */
export async function loadClasses(): Promise<SoakClass[]> {
  const names = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !runner.has(entry.name))
    .map((entry) => entry.name)
    .sort();
  const classes: SoakClass[] = [];
  for (const name of names) {
    const module = (await import(new URL(name, folder).href)) as { soak?: SoakClass };
    if (module.soak !== undefined) classes.push(module.soak);
  }
  return classes;
}
