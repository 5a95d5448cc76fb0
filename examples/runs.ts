import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { removeCheckpoint } from 'snapshard';

const published = /^step-(\d{10})(\.g\d+)?$/;

/** Makes `runs/<name>`, and removes the checkpoints that an earlier run published there; anything else stays. */
export async function freshRun(repository: string, name: string): Promise<string> {
  const root = join(repository, 'runs', name);
  await mkdir(root, { recursive: true });
  const steps = (await readdir(root)).flatMap((entry) => {
    const match = published.exec(entry);
    return match === null ? [] : [Number(match[1])];
  });
  for (const step of new Set(steps)) await removeCheckpoint(root, step);
  return root;
}
