/** What a result tells of the machine that it was measured on. */
import { readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, release, totalmem } from 'node:os';
import type { Machine } from './result.js';

/** Cores and memory are what this process may use, where a container allows it less than there is. */
export function describeMachine(): Machine {
  const limit = process.constrainedMemory();
  const model = cpus()[0]?.model.trim() ?? '';
  return {
    cpu: model === '' || model === 'unknown' ? arch() : model,
    cores: availableParallelism(),
    memoryBytes: limit > 0 ? Math.min(limit, totalmem()) : totalmem(),
    kernel: release(),
  };
}

/** Of `snapshard`, `node` and the `kernel`. */
export function versions(): Record<string, string> {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  return { snapshard: version, node: process.version, kernel: release() };
}
