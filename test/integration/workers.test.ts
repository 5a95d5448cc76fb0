import { join } from 'node:path';
import { CheckpointWriter } from 'snapshard';
import { describe, expect, it } from 'vitest';
import { checkCheckpoint } from '../../examples/check.js';
import { MiB } from '../support/bytes.js';
import { runChild } from '../support/child.js';
import { namesIn, useRoot, withoutLeftovers } from '../support/root.js';

const root = useRoot();

describe('worker threads', () => {
  it('save with engines of their own', async () => {
    const child = await runChild('workers', { root: root.path, way: 'end', rounds: 2 });
    expect([child.code, child.signal, child.messages], child.output).toEqual([0, null, ['done']]);
    const names = namesIn(root.path);
    expect(names).toHaveLength(2 * 6 + 2);
    for (const name of names) await checkCheckpoint(join(root.path, name));
  });

  it('may be terminated at any moment', async () => {
    const child = await runChild('workers', { root: root.path, way: 'terminate', rounds: 8 });
    expect([child.code, child.signal, child.messages], child.output).toEqual([0, null, ['done']]);
    await using writer = await CheckpointWriter.open(root.path, { stagingBytes: 8 * MiB });
    const names = withoutLeftovers(root.path, namesIn(root.path));
    expect(names.filter((name) => name.startsWith('.'))).toEqual([]);
    for (const name of names) await checkCheckpoint(join(root.path, name));
    await writer.save({ step: 5000, tensors: {} });
  });
});
