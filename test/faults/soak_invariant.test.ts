import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { CheckpointWriter, type Published } from 'snapshard';
import { beforeEach, expect, it } from 'vitest';
import { expectContinues, expectInvariant, expectListedWhole } from '../soak/invariant.js';
import { MiB, randomBytes } from '../support/bytes.js';
import { useRoot } from '../support/root.js';
import { filesOf, whileFlipped } from '../support/victim.js';

const root = useRoot();
const digest = '0'.repeat(32);
let saved: Published;

beforeEach(async () => {
  await using writer = await CheckpointWriter.open(root.path, { stagingBytes: 8 * MiB, blockBytes: MiB });
  await writer.save({ step: 1, tensors: { a: randomBytes(100) } });
  saved = await writer.save({ step: 2, tensors: { a: randomBytes(2 * MiB + 5) } });
});

it('holds after saves, with what dead writers left', async () => {
  mkdirSync(join(root.path, '.dead-0a'));
  mkdirSync(join(root.path, '.step-0000000003.0a.partial', 'ranks'), { recursive: true });
  await expectInvariant(root.path, { step: 2, digest: saved.digest }, 3);
});

it('is broken by one flipped bit of any file', async () => {
  for (const file of filesOf(saved.path)) {
    const offset = Math.floor(file.bytes / 2);
    await whileFlipped(saved.path, { file, offset, bit: 3 }, async () => {
      await expect(expectListedWhole(root.path), file.name).rejects.toThrow();
    });
  }
  await expectListedWhole(root.path);
});

it('is broken by a step that was told, and is not there, or is another', async () => {
  await expect(expectListedWhole(root.path, { step: 3 })).rejects.toThrow('the newest is 2');
  await expect(expectListedWhole(root.path, { step: 2, digest })).rejects.toThrow('is not what was told');
});

it('is broken by what the next writer does not remove', async () => {
  mkdirSync(join(root.path, '.step-0000000003.not a nonce.partial'));
  await expect(expectContinues(root.path, 3)).rejects.toThrow('did not remove what was left');
});
