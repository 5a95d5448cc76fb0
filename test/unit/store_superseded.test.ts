import { beforeEach, describe, expect, it, vi } from 'vitest';
import { CheckpointWriter } from '../../lib/save/writer.js';
import { NativeStore } from '../../lib/store/native_store.js';
import { retire } from '../../lib/store/retire.js';
import { sweepLeftovers } from '../../lib/store/sweep.js';
import { resetFakeBinding, type FakeBinding } from '../support/fake_binding.js';

vi.mock('../../lib/binding.js', () => import('../support/fake_binding.js'));

let fake: FakeBinding;
let store: NativeStore;

/** Saves a step, as often as it is to have generations, by a writer that removes none. */
async function saveGenerations(step: number, count: number): Promise<void> {
  const writer = await CheckpointWriter.open('/runs');
  for (let generation = 1; generation <= count; generation += 1) {
    if (generation > 1) fake.failNext('rename', 'EIO', /^step-\S+ \.dead/);
    await writer.save({ step, tensors: { weight: new Float32Array(4) }, overwrite: true });
  }
  await writer.close();
}

function damage(name: string): void {
  fake.tree.set(`${name}/manifest.json`, Buffer.from('{}'));
}

/** What a sweep has done, in few words. */
async function sweepCalls(): Promise<string[]> {
  const before = fake.calls.length;
  await sweepLeftovers(store);
  const steps = fake.calls.slice(before).filter((call) => /^(rename|syncDirectories|removeTree)/.test(call));
  return steps.map((call) => call.replace(/dead-.*/, 'dead'));
}

beforeEach(async () => {
  fake = resetFakeBinding();
  store = await NativeStore.open('/runs');
});

describe('generations that a dead writer left', () => {
  it('go, when the newest is there to stay', async () => {
    await saveGenerations(2, 1);
    await saveGenerations(1, 3);
    expect(fake.names()).toEqual(['step-0000000001', 'step-0000000001.g2', 'step-0000000001.g3', 'step-0000000002']);
    expect(await sweepCalls()).toEqual([
      'syncDirectories .',
      'rename step-0000000001 .dead',
      'rename step-0000000001.g2 .dead',
      'syncDirectories .',
      'removeTree .dead',
      'removeTree .dead',
    ]);
    expect(fake.names()).toEqual(['step-0000000001.g3', 'step-0000000002']);
  });

  it('stay where the newest is damaged, or cannot be made durable', async () => {
    await saveGenerations(1, 3);
    damage('step-0000000001.g3');
    await saveGenerations(2, 2);
    const before = fake.names();
    fake.failNext('syncDirectories', 'EIO', /^\.$/);
    expect(await sweepCalls()).toEqual(['syncDirectories .']);
    expect(fake.names()).toEqual(before);
  });

  it('stay where another process is at work on the step: what bears the name now may be another checkpoint', async () => {
    await saveGenerations(1, 2);
    const sync = fake.syncDirectories.bind(fake);
    vi.spyOn(fake, 'syncDirectories').mockImplementationOnce(async (handle, paths) => {
      await sync(handle, paths);
      await retire(store, ['step-0000000001', 'step-0000000001.g2']);
      await saveGenerations(1, 1);
    });
    await sweepLeftovers(store);
    expect(fake.names().filter((name) => name.startsWith('step-'))).toEqual(['step-0000000001']);
  });

  it('are left to another user, who alone may remove them', async () => {
    await saveGenerations(1, 3);
    fake.failNext('rename', 'EPERM', /^step-0000000001 /);
    await sweepLeftovers(store);
    expect(fake.names()).toEqual(['step-0000000001', 'step-0000000001.g3']);
  });

  it('may be taken away at the same time by the writer that published the newest', async () => {
    await saveGenerations(1, 1);
    const writer = await CheckpointWriter.open('/runs');
    const rename = fake.rename.bind(fake);
    vi.spyOn(fake, 'rename').mockImplementation(async (handle, from, to) => {
      await rename(handle, from, to);
      if (from.endsWith('.partial')) await sweepLeftovers(store);
    });
    const { path } = await writer.save({ step: 1, tensors: { weight: new Float32Array(4) }, overwrite: true });
    await writer.close();
    expect(path).toBe('/runs/step-0000000001.g2');
    expect(fake.names()).toEqual(['step-0000000001.g2']);
  });
});
