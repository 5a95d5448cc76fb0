import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { latestCheckpoint, listCheckpoints, openCheckpoint, type Checkpoint } from 'snapshard';
import { MiB } from '../../support/bytes.js';
import { expectNames, tellsOf } from './judge.js';
import type { Phase, Stretch } from './phase.js';
import type { Fault } from './refusal.js';
import type { Scene } from './scene.js';
import { templateOf } from './writing.js';

const nothing = (): Promise<void> => Promise.resolve();

async function pathOf(scene: Scene): Promise<string> {
  const [step] = await listCheckpoints(await templateOf(scene));
  return step!.path;
}

/** A checkpoint that is open before, and read again after, whatever failed. */
function reading(name: string, read: (scene: Scene, checkpoint: Checkpoint) => Promise<void>): Phase {
  return {
    name,
    async prepare(scene): Promise<Stretch> {
      const checkpoint = await openCheckpoint(await pathOf(scene), scene.restoring);
      const run = (): Promise<void> => read(scene, checkpoint);
      const roots = [scene.folder];
      const judge = (failure: unknown, fault: Fault): void => { judgeLook(failure, fault, roots); };
      return { roots, run, judge, check: run, end: () => checkpoint.close() };
    },
  };
}

const read = reading('read', async (scene, checkpoint) => {
  for (const name of scene.names) scene.expectBytes(name, (await checkpoint.read(name)).data);
  assert.equal(new TextDecoder().decode(await checkpoint.file('note')), 'beside the tensors');
});

const readInto = reading('readInto', async (scene, checkpoint) => {
  const lease = checkpoint.allocate(MiB + 305 * 1024);
  try {
    const bytes = checkpoint.tensors.get('buffer')!.bytes;
    const buffer = new Uint8Array(lease.buffer, 0, bytes);
    const shared = new Uint8Array(new SharedArrayBuffer(checkpoint.tensors.get('shared')!.bytes));
    await checkpoint.readInto({ buffer, shared });
    scene.expectBytes('buffer', buffer);
    scene.expectBytes('shared', shared);
  } finally {
    lease.dispose();
  }
});

const verify = reading('verify', async (_scene, checkpoint) => {
  const { damaged, hasDigests } = await checkpoint.verify();
  if (damaged.length > 0) throw new Damaged(damaged.map(({ reason }) => reason).join('\n'));
  assert(hasDigests);
});

/** What a look reports in place of failing. */
class Damaged extends Error {}

/** A device that cannot be read is reported as damage, which says why. */
function judgeLook(failure: unknown, fault: Fault, roots: readonly string[]): void {
  if (!(failure instanceof Damaged)) {
    expectNames(failure, fault, roots);
    return;
  }
  assert(tellsOf(failure.message, fault), `What is reported does not say why: ${failure.message}`);
}

function looking(name: string, look: (scene: Scene) => Promise<void>): Phase {
  return {
    name,
    async prepare(scene): Promise<Stretch> {
      await templateOf(scene);
      const roots = [scene.folder];
      const run = (): Promise<void> => look(scene);
      return { roots, run, check: run, end: nothing, judge: (failure, fault) => { judgeLook(failure, fault, roots); } };
    },
  };
}

const opening = looking('openCheckpoint', async (scene) => {
  const checkpoint = await openCheckpoint(await pathOf(scene), scene.restoring);
  try {
    assert.deepEqual([...checkpoint.tensors.keys()].sort(), [...scene.names].sort());
    assert(checkpoint.format === 'snapshard' && checkpoint.hasDigests, `It was taken for ${checkpoint.format}.`);
  } finally {
    await checkpoint.close();
  }
});

const list = looking('list', async (scene) => {
  const listed = await listCheckpoints(await templateOf(scene));
  assert.deepEqual(listed.map(({ step }) => step), [1]);
  if (listed[0]!.damaged !== undefined) throw new Damaged(listed[0]!.damaged);
});

/** None is older, so that one that is passed over is named by the failure. */
const latest = looking('latest', async (scene) => {
  const root = await templateOf(scene);
  let checkpoint: Checkpoint;
  try {
    checkpoint = await latestCheckpoint(root, scene.restoring);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_SNAPSHARD_NOT_FOUND') throw error;
    throw new Damaged((error as Error).message);
  }
  await checkpoint.close();
});

/** A file as others write it: its header is read by Node.js, its data by the add-on. */
const foreign = looking('foreign', async (scene) => {
  const folder = await pathOf(scene);
  const name = readdirSync(folder).find((file) => file.startsWith('model') && file.endsWith('.safetensors'))!;
  const checkpoint = await openCheckpoint(join(folder, name), scene.restoring);
  try {
    scene.expectBytes('buffer', (await checkpoint.read('buffer')).data);
  } finally {
    await checkpoint.close();
  }
});

const allocate: Phase = {
  name: 'allocate',
  async prepare(scene) {
    const root = scene.newRoot();
    const writer = await scene.openWriter(root);
    const run = (): Promise<void> => {
      writer.allocate(MiB + 1).dispose();
      return Promise.resolve();
    };
    return {
      roots: [root],
      run: () => Promise.resolve().then(run),
      check: run,
      async end() {
        await writer.close();
        scene.remove(root);
      },
    };
  },
};

export const readingPhases: readonly Phase[] = [opening, read, readInto, verify, list, latest, foreign, allocate];
