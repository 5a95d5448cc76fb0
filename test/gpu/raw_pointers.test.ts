import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { python, tellSkipped, torchDevice, torchReason, trainers } from './gpu.js';
import { inventory, type OracleShard } from '../interop/oracle.js';
import { expectClean, runCuda } from '../support/cuda.js';
import { useRoot } from '../support/root.js';

tellSkipped('Raw pointers on a GPU', torchReason);

const root = useRoot();

function tensorsIn(shards: Record<string, OracleShard>): OracleShard['tensors'] {
  const all = Object.values(shards).flatMap(({ tensors }) => Object.entries(tensors));
  return Object.fromEntries(all.filter(([, { shape }]) => !shape.includes(0)));
}

describe.skipIf(torchReason !== '').each([false, true])('with a snapshot: %s,', (deviceSnapshot) => {
  it('what PyTorch made: saved by address from memory of this process, read by safetensors, put back', async () => {
    const made = join(root.path, 'made');
    mkdirSync(made);
    const file = join(made, 'made.safetensors');
    execFileSync(python, [trainers, 'made', torchDevice, file], { stdio: 'pipe' });
    const ended = await runCuda('made', { scenario: 'savedAndRestored', root: root.path, file, deviceSnapshot });
    expectClean(ended);
    const { path, ...told } = ended.result as { path: string; taken: boolean; deviceReason: string };
    expect(told).toEqual({ taken: deviceSnapshot, deviceReason: '' });
    const [expected, found] = (await inventory([made, path])).map(tensorsIn);
    expect(Object.keys(expected!).length).toBeGreaterThan(90);
    expect(found).toEqual(expected);
  });
});
