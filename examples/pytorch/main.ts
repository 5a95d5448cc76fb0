/**
 * `npx tsx examples/pytorch/main.ts [ROOT [PROGRAM OPTION…]]` runs a trainer and saves its checkpoints in ROOT.
 * Default: train.py, by the Python that `PYTHON` names.
 */
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { supervise } from './supervise.js';

const [root = 'runs/pytorch', program = process.env.PYTHON ?? 'python3', ...options] = process.argv.slice(2);
const script = fileURLToPath(new URL('train.py', import.meta.url));
await mkdir(root, { recursive: true });
await supervise({
  root,
  command: [program, ...(process.argv.length > 3 ? options : [script])],
  restarts: 3,
  print: console.log,
  onPublished: ({ path, bytes, timings }) => {
    const staged = (timings.stagedSeconds * 1e3).toFixed(0);
    console.log(`${path}   ${(bytes / 1e6).toFixed(1)} MB staged in ${staged} ms`);
  },
});
