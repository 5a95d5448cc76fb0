import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listCheckpoints, removeCheckpoint, type CheckpointWriter, type Published } from 'snapshard';
import { KiB } from '../../support/bytes.js';
import { leftoversIn } from '../invariant.js';
import { expectNames } from './judge.js';
import { isPublished, type Came, type Phase, type Stretch } from './phase.js';
import type { Scene } from './scene.js';

/** Step 1, to be copied for each trial; made once. */
const templates = new WeakMap<Scene, Promise<string>>();

export function templateOf(scene: Scene): Promise<string> {
  const made = templates.get(scene) ?? makeTemplate(scene);
  templates.set(scene, made);
  return made;
}

async function makeTemplate(scene: Scene): Promise<string> {
  const root = scene.newRoot();
  const writer = await scene.openWriter(root);
  await writer.save(scene.request(1));
  await writer.close();
  return root;
}

/** After a save of step 2: it is there or it is not, the same writer saves it, and the next sweeps what is left. */
async function checkSave(scene: Scene, root: string, writer: CheckpointWriter, came: Came): Promise<void> {
  const told = isPublished(came);
  if ('value' in came) await scene.expectSaved((came.value as Published).path);
  const steps = (await listCheckpoints(root)).map(({ step }) => step);
  const published = told ?? steps.length === 2;
  assert.deepEqual(steps, published ? [1, 2] : [1], 'What is listed is not what was told.');
  await scene.expectSteps(root, steps);
  await scene.expectSaved((await writer.save(scene.request(2, published))).path);
}

function saving(name: string, save: (scene: Scene, writer: CheckpointWriter) => Promise<Published>): Phase {
  return {
    name,
    async prepare(scene): Promise<Stretch> {
      const root = scene.newRoot(await templateOf(scene));
      const writer = await scene.openWriter(root);
      return {
        roots: [root, scene.sourcePath],
        run: () => save(scene, writer),
        check: (came) => checkSave(scene, root, writer, came),
        end: () => endWriter(scene, root, writer),
      };
    },
  };
}

async function endWriter(scene: Scene, root: string, writer: CheckpointWriter): Promise<void> {
  await writer.close();
  await scene.expectSwept(root);
  scene.remove(root);
}

const save = saving('save', async (scene, writer) => writer.save(scene.request(2)));

const saveInPlace = saving('save in place', async (scene, writer) => {
  const lease = writer.allocate(64 * KiB);
  try {
    const data = new Uint8Array(lease.buffer).fill(42);
    const tensors = { ...scene.tensors(), lease: data };
    return await writer.save({ ...scene.request(2), tensors, inPlace: true });
  } finally {
    lease.dispose();
  }
});

/** The older generation goes, or is left to be read past. */
const replace: Phase = {
  name: 'replace',
  async prepare(scene) {
    const root = scene.newRoot(await templateOf(scene));
    const writer = await scene.openWriter(root);
    return {
      roots: [root, scene.sourcePath],
      run: async () => writer.save(scene.request(1, true)),
      async check(came) {
        if ('value' in came) await scene.expectSaved((came.value as Published).path);
        const [listed] = await listCheckpoints(root);
        await scene.expectSteps(root, [1]);
        await scene.expectSaved(listed!.path);
        await scene.expectSaved((await writer.save(scene.request(1, true))).path);
        await scene.expectSteps(root, [1]);
      },
      end: () => endWriter(scene, root, writer),
    };
  },
};

/** It has failed anyway; what is refused is to give it up. */
const abort: Phase = {
  name: 'abort',
  async prepare(scene) {
    const root = scene.newRoot(await templateOf(scene));
    const writer = await scene.openWriter(root);
    const reason = new Error('aborted by the test');
    return {
      roots: [root, scene.sourcePath],
      async run() {
        const abort = new AbortController();
        const saved = writer.save(scene.request(2), { signal: abort.signal });
        saved.staged.then(() => { abort.abort(reason); }, () => undefined);
        return await saved.published;
      },
      judge(failure, fault) {
        // What is refused may come first.
        if (failure !== reason) expectNames(failure, fault, [root, scene.sourcePath]);
      },
      check: (came) => checkSave(scene, root, writer, came),
      end: () => endWriter(scene, root, writer),
    };
  },
};

const close: Phase = {
  name: 'close',
  async prepare(scene) {
    const root = scene.newRoot();
    const writer = await scene.openWriter(root);
    await writer.save(scene.request(1));
    return {
      roots: [root],
      run: () => writer.close(),
      async check() {
        await scene.expectSteps(root, [1]);
      },
      async end() {
        await writer.close().catch(() => undefined);
        scene.remove(root);
      },
    };
  },
};

function leaveSome(root: string): void {
  for (const name of [`.dead-${'0'.repeat(16)}`, `.step-0000000007.${'1'.repeat(16)}.partial`]) {
    mkdirSync(join(root, name, 'ranks'), { recursive: true });
    writeFileSync(join(root, name, 'model-00001-of-00001.safetensors'), 'half');
  }
}

/** Of a root with something to sweep. */
const open: Phase = {
  name: 'open',
  async prepare(scene) {
    const root = scene.newRoot(await templateOf(scene));
    leaveSome(root);
    let writer: CheckpointWriter | undefined;
    return {
      roots: [root],
      run: async () => (writer = await scene.openWriter(root)),
      async check() {
        writer ??= await scene.openWriter(root);
        await scene.expectSteps(root, [1]);
        await scene.expectSaved((await writer.save(scene.request(7))).path);
        await scene.expectSteps(root, [1, 7]);
      },
      end: () => endWriter(scene, root, writer!),
    };
  },
};

const remove: Phase = {
  name: 'remove',
  async prepare(scene) {
    const root = scene.newRoot(await templateOf(scene));
    return {
      roots: [root],
      run: () => removeCheckpoint(root, 1),
      async check(came) {
        const { length } = await listCheckpoints(root);
        if ('value' in came) assert.equal(length, 0, 'What was told as removed is there.');
        await scene.expectSteps(root, length === 0 ? [] : [1]);
        if (length > 0) await removeCheckpoint(root, 1);
      },
      async end() {
        await scene.expectSwept(root);
        assert.deepEqual(leftoversIn(root), []);
        scene.remove(root);
      },
    };
  },
};

export const writingPhases: readonly Phase[] = [open, save, saveInPlace, replace, abort, close, remove];
