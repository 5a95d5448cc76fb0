/** A training run in a process of its own: `run.ts ROOT STEPS SAVE_EVERY` starts it, or continues it where it was. */
import { fileURLToPath } from 'node:url';
import { train } from './train.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const [root = '', steps, saveEvery] = process.argv.slice(2);
const { signal } = new AbortController();
const print = (line: string): void => {
  console.log(line);
};
await train({ root, repository, steps: Number(steps), saveEvery: Number(saveEvery), resume: true, signal, print });
