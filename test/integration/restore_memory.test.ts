import { CheckpointWriter } from 'snapshard';
import { describe, expect, it } from 'vitest';
import { MiB } from '../support/bytes.js';
import { runChild } from '../support/child.js';
import type { Way } from '../support/children/restore_memory.js';
import { smallWriter } from '../support/restored.js';
import { useRoot } from '../support/root.js';

const root = useRoot();
const bytes = 512 * MiB;

describe('the memory of a restore', () => {
  it.each<Way>(['readInto', 'columns', 'stream', 'verify'])('stays within its budget: %s', async (way) => {
    await using writer = await CheckpointWriter.open(root.path, smallWriter);
    const tensor = { dtype: 'U8', shape: [bytes / 1024, 1024], data: new Uint8Array(bytes) } as const;
    const { path } = await writer.save({ step: 1, tensors: { tensor } });
    const child = await runChild('restore_memory', { path, way, bytes });
    expect([child.code, child.signal], child.output).toEqual([0, null]);
    expect(child.messages[0]).toBeLessThan(64 * MiB);
  });
});
