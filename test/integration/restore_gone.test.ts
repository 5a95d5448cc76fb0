import { CheckpointWriter, latestCheckpoint, removeCheckpoint } from 'snapshard';
import { expect, it } from 'vitest';
import { MiB } from '../support/bytes.js';
import { runChild } from '../support/child.js';
import { smallWriter } from '../support/restored.js';
import { useRoot } from '../support/root.js';

const root = useRoot();

async function save(writer: CheckpointWriter, fill: number): Promise<void> {
  const bytes = { a: MiB + 5, b: 300, c: 2 * MiB };
  const tensors = Object.entries(bytes).map(([name, length]) => [name, new Uint8Array(length).fill(fill)] as const);
  await writer.save({ step: 1, overwrite: true, tensors, metadata: { fill }, files: { 'config.json': `{"fill":${fill}}` } });
}

it('what another process reads, while it is removed and replaced, is gone, but never damaged nor mixed', async () => {
  await using writer = await CheckpointWriter.open(root.path, smallWriter);
  await save(writer, 0);
  const state = { reading: true };
  const child = runChild('reads_on', { root: root.path, seconds: 8 }, { timeoutMs: 600_000 }).finally(() => {
    state.reading = false;
  });
  for (let fill = 1; state.reading; fill = (fill + 1) % 256) {
    if (fill % 3 === 0) await removeCheckpoint(root.path, 1);
    await save(writer, fill);
  }
  const { code, signal, messages, output } = await child;
  expect({ code, signal, output }).toEqual({ code: 0, signal: null, output: '' });
  const [seen] = messages as [Record<string, number>];
  expect(Object.keys(seen).filter((outcome) => !/: (?:well|gone)$/.test(outcome))).toEqual([]);
  for (const way of ['readAll', 'file', 'verify', 'slice']) expect(seen[`${way}: well`]).toBeGreaterThan(0);
  expect(Object.keys(seen).some((outcome) => outcome.endsWith('gone'))).toBe(true);
  await using latest = await latestCheckpoint(root.path);
  expect((await latest.verify()).damaged).toEqual([]);
});
