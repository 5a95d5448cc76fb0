import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { checkCheckpoint } from '../../../examples/check.js';
import { resultOf, type Saver } from './saver.js';

/**
 * Every checkpoint that a client lists is whole: by the library, byte for byte, and by a checker that shares no code
 * with it.
 * @returns their steps, oldest first
 */
export async function expectWhole(root: string, saver: Saver): Promise<number[]> {
  const listed = resultOf(await saver.list(root));
  for (const { path, damaged } of listed) {
    assert.equal(damaged, undefined, `${path} is listed and damaged.`);
    resultOf(await saver.openCheckpoint(path));
    resultOf(await saver.read());
    assert.deepEqual(resultOf(await saver.verify()), { damaged: [], hasDigests: true });
    resultOf(await saver.closeCheckpoint());
    await checkCheckpoint(path);
  }
  return listed.map(({ step }) => step);
}

/** What half-written saves and removals have left, as the server has it. */
export function leftoversIn(path: string): string[] {
  return readdirSync(path).filter((name) => name.startsWith('.'));
}
