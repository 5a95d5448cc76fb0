/** Whole checkpoints with changed files in them, opened in every way there is. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { CheckpointWriter, latestCheckpoint, listCheckpoints, openCheckpoint, SnapshardError, type Checkpoint } from 'snapshard';
import { MiB, randomBytes } from '../../support/bytes.js';
import { filesOf } from '../../support/victim.js';
import { byteChange, changedBytes } from './changes.js';
import { digestOf } from './documents.js';
import type { Reader } from './reader.js';

const reading = { stagingBytes: 4 * MiB, blockBytes: 2 * MiB };
const tensors = (): Record<string, Uint8Array> => ({ 'layers.0.w': randomBytes(5000), b: randomBytes(17), none: randomBytes(0) });

interface Scene {
  readonly root: string;
  /** The newest step, which changes are made in; a copy of it is beside. */
  readonly path: string;
  readonly kept: string;
  readonly data: Record<string, Uint8Array>;
}

async function makeScene(folder: string): Promise<Scene> {
  const root = join(folder, 'root');
  mkdirSync(root);
  const data = tensors();
  const writer = await CheckpointWriter.open(root, reading);
  try {
    await writer.save({ step: 1, tensors: tensors() });
    const { path } = await writer.save({ step: 2, tensors: data, files: { 'config.json': '{}' }, metadata: { epoch: 1 } });
    const kept = join(folder, 'kept');
    cpSync(path, kept, { recursive: true });
    return { root, path, kept, data };
  } finally {
    await writer.close();
  }
}

/** Whatever is thrown has a code. */
async function coded<Value>(run: () => PromiseLike<Value>): Promise<Value | undefined> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof SnapshardError && error.message !== '') return undefined;
    throw error;
  }
}

async function checkData(checkpoint: Checkpoint, data: Record<string, Uint8Array>): Promise<void> {
  for (const [name, bytes] of Object.entries(data)) {
    const read = await coded(() => checkpoint.read(name));
    if (read !== undefined) assert(Buffer.compare(read.data, bytes) === 0, `${name} reads as something else.`);
  }
}

/** Whether it opens, verifies, and reads as what was saved. */
async function isWhole(path: string, data: Record<string, Uint8Array>): Promise<boolean> {
  const checkpoint = await coded(() => openCheckpoint(path, reading));
  if (checkpoint === undefined) return false;
  try {
    await checkData(checkpoint, data);
    const report = await coded(() => checkpoint.verify());
    return report?.damaged.length === 0 && report.hasDigests;
  } finally {
    await checkpoint.close();
  }
}

/** The root still has its step before. */
async function checkRoot(root: string, changed: boolean): Promise<void> {
  const listed = await listCheckpoints(root);
  assert.deepEqual(listed.map(({ step }) => step), [1, 2]);
  assert.equal(listed[0]?.damaged, undefined);
  const latest = await latestCheckpoint(root, reading);
  try {
    assert(latest.step === 2 || (latest.step === 1 && changed), `The latest is step ${latest.step}.`);
  } finally {
    await latest.close();
  }
}

/** A manifest of a rank or of all, changed, with the digests put right that cover it. */
function putRight(path: string, name: string): void {
  const sealed = (bytes: Buffer): Buffer => {
    const body = bytes.subarray(0, Math.max(0, bytes.length - 46));
    return Buffer.concat([body, Buffer.from(`,"digest":"${digestOf(body)}"}\n`)]);
  };
  if (!name.endsWith('.json') || name === 'config.json') return;
  const bytes = sealed(readFileSync(join(path, name)));
  writeFileSync(join(path, name), bytes);
  const manifest = join(path, 'manifest.json');
  if (name === 'manifest.json' || !existsSync(manifest)) return;
  const fields = JSON.parse(readFileSync(manifest, 'utf8')) as { ranks: { manifest: object }[] };
  Object.assign(fields.ranks[0]!.manifest, { bytes: bytes.length, digest: digestOf(bytes) });
  writeFileSync(manifest, sealed(Buffer.from(`${JSON.stringify(fields)}\n`)));
}

const change = fc.record({
  file: fc.nat(),
  changes: fc.array(byteChange, { minLength: 1, maxLength: 3 }),
  how: fc.constantFrom('as it is', 'as it is', 'put right', 'put right', 'removed'),
});

function propertyOf({ root, path, kept, data }: Scene): ReturnType<Reader['property']> {
  const files = filesOf(kept);
  return fc.asyncProperty(change, async ({ file, changes, how }) => {
    const name = files[file % files.length]!.name;
    const before = readFileSync(join(kept, name));
    const after = changedBytes(before, changes);
    if (how === 'removed') rmSync(join(path, name));
    else writeFileSync(join(path, name), after);
    if (how === 'put right') putRight(path, name);
    try {
      const same = how === 'as it is' && after.equals(before);
      const whole = await isWhole(path, data);
      // What is put right may be a checkpoint again, of other names and shapes.
      if (how !== 'put right') assert.equal(whole, same, `${name}, ${how}, is taken for ${whole ? 'whole' : 'damaged'}.`);
      await checkRoot(root, !same);
    } finally {
      rmSync(path, { recursive: true });
      cpSync(kept, path, { recursive: true });
    }
  });
}

export const checkpointReader = {
  runs: 60,
  async in(folder: string): Promise<Reader> {
    const scene = await makeScene(folder);
    return { name: 'checkpoints', runs: this.runs, property: () => propertyOf(scene) };
  },
};
