import { join } from 'node:path';
import { CheckpointWriter } from 'snapshard';
import { describe, expect, it } from 'vitest';
import { checkCheckpoint } from '../../examples/check.js';
import { MiB } from '../support/bytes.js';
import { runChild } from '../support/child.js';
import type { Ending } from '../support/children/ends.js';
import { namesIn, useRoot, withoutLeftovers } from '../support/root.js';

const root = useRoot();
const delays_ms = [0, 4, 15];
const endings: [Ending, number | null, NodeJS.Signals | null][] = [
  ['exit', 3, null],
  ['throw', 1, null],
  ['reject', 1, null],
  ['kill', null, 'SIGKILL'],
  ['abort', null, 'SIGTERM'],
  ['return', 0, null],
  ['return awaited', 0, null],
];

async function expectWhole(step: number): Promise<void> {
  await checkCheckpoint(join(root.path, `step-000000000${step}`));
}

describe('a process that ends while it saves', () => {
  it.each(endings.flatMap((ending) => delays_ms.map((delay_ms) => [...ending, delay_ms] as const)))(
    'by %s leaves what was published, and nothing half (code %s, signal %s, after %s ms)',
    async (ending, code, signal, delay_ms) => {
      const child = await runChild('ends', { root: root.path, ending, delay_ms });
      expect([child.code, child.signal], child.output).toEqual([code, signal]);
      await expectWhole(1);
      const steps = namesIn(root.path).filter((name) => name.startsWith('step-'));
      if (ending.startsWith('return')) expect(steps).toHaveLength(2);
      await using writer = await CheckpointWriter.open(root.path, { stagingBytes: 8 * MiB });
      expect(withoutLeftovers(root.path, namesIn(root.path))).toEqual(steps);
      if (steps.length === 2) await expectWhole(2);
      await writer.save({ step: 2, tensors: { a: new Uint8Array(5) }, overwrite: true });
    },
  );
});
