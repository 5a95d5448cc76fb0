import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { refuseCalls, refusedIn, soak } from '../soak/calls.js';
import { refusable, unknownImports, unlistedCalls } from '../soak/call/catalog.js';
import type { CallPlant, Fault } from '../soak/call/refusal.js';
import { seedOf } from '../soak/call/units.js';
import { expectSame, refuseForGood, soak as refused } from '../soak/refused.js';
import { expectReported } from '../soak/refused/refusals.js';
import type { FaultyResult } from '../support/faulty_run.js';
import { useRoot } from '../support/root.js';

const root = useRoot();
const whyNot = soak.whyNot();
if (whyNot !== undefined) console.warn(`skipped: ${whyNot}`);
const nothing = { share: 0, lastingMax: 0 };

function folderOf(name: string): string {
  const folder = join(root.path, name);
  mkdirSync(folder);
  return folder;
}

function fault(call: string, nth: number, error: string, on = false): Fault {
  return { call, nth, error, on };
}

it('every function of the system that the add-on imports is refused somewhere, or listed as harmless', () => {
  expect(unknownImports()).toEqual([]);
  expect(unlistedCalls()).toEqual([]);
  expect(Object.values(refusable).every(({ errors }) => errors.length > 0)).toBe(true);
});

describe.skipIf(whyNot !== undefined)('a system call that is refused', () => {
  // One in so many of all that the phase makes, with one in so many of the errors.
  it.each([
    ['io_uring', 'save', 0.015],
    ['old kernel', 'replace', 0.008],
    ['buffered', 'save', 0.008],
    ['pwrite', 'verify', 0.02],
    ['io_uring', 'ranks: save', 0.005],
  ])('costs nothing but the call it was in (%s, %s)', async (setting, phase, share) => {
    const tally = await refuseCalls(seedOf(setting, phase), root.path, { share, lastingMax: 0 });
    expect(refusedIn(tally)).toBeGreaterThan(0);
  });

  it('from some time on, likewise', async () => {
    const tally = await refuseCalls(seedOf('io_uring', 'save', true), root.path, { share: 0, lastingMax: 12 });
    expect(refusedIn(tally)).toBeGreaterThan(10);
  });

  it.each<[string, string, Fault[]]>([
    ['io_uring', 'save', [fault('openat2', 17, 'ESTALE', true), fault('write (eventfd)', 1, 'EINTR'), fault('io_uring: write', 1, 'SHORT'), fault('fcntl', 1, 'EMFILE')]],
    ['io_uring', 'verify', [fault('openat2', 5, 'EMFILE'), fault('openat2', 3, 'ESTALE'), fault('pread', 2, 'EIO')]],
    ['io_uring', 'latest', [fault('pread', 2, 'EINVAL', true)]],
    ['buffered', 'latest', [fault('fstat', 3, 'ESTALE')]],
    ['io_uring', 'list', [fault('pread', 1, 'ESTALE'), fault('openat2', 2, 'ESTALE')]],
    ['old kernel', 'save', [fault('pread', 1, 'ENOMEM'), fault('pread', 3, 'EIO')]],
    ['io_uring', 'openCheckpoint', [fault('readdir', 5, 'ENOMEM'), fault('openat2', 2, 'EMFILE')]],
    ['io_uring', 'ranks: meet', [fault('flock', 1, 'ENOLCK'), fault('flock', 1, 'EWOULDBLOCK'), fault('fstat', 2, 'ESTALE', true)]],
    ['io_uring', 'load and open', [fault('pthread_create', 1, 'EAGAIN'), fault('io_uring_setup', 1, 'EPERM')]],
  ])('that once was not dealt with (%s, %s)', async (setting, phase, faults) => {
    const tally = await refuseCalls(seedOf(setting, phase), root.path, nothing, { faults });
    expect(refusedIn(tally)).toBe(faults.length);
  });

  it.each<[CallPlant, string, Fault, RegExp]>([
    ['lost', 'save', fault('io_uring: write', 1, 'EIO'), /io_uring, save: io_uring: write 1: EIO/],
    ['descriptor', 'save', fault('close', 2, 'EIO'), /More is held than before/],
    ['mapping', 'read', fault('fcntl', 1, 'EINVAL'), /More is held than before/],
  ])('and a planted fault of the test is found: %s', async (plant, phase, planted, found) => {
    const trial = refuseCalls(seedOf('io_uring', phase), folderOf(plant), nothing, { faults: [planted], plant });
    await expect(trial).rejects.toThrow(found);
  });
});

describe.skipIf(refused.whyNot() !== undefined)('features refused for good', () => {
  it.each([1, 4, 10])('several at once change no byte, and say so (seed %i)', async (seed) => {
    await refuseForGood(seed, root.path);
  });

  it('are missed where nothing tells of them, or a byte differs', () => {
    const contents = { files: {}, tensors: { a: '0' }, shards: {} };
    const save = { engine: 'io_uring', engineReason: '', direct: 'yes', directReason: '', contents } as const;
    const capabilities = { memoryReader: 'process_vm_readv', ioUring: { available: true, reason: '' } };
    const result = { capabilities, saves: [save], names: [] } as unknown as FaultyResult;
    expectSame(result, contents);
    expect(() => { expectSame(result, { ...contents, tensors: { a: '1' } }); }).toThrow('Other bytes');
    for (const rule of ['io_uring_setup=EPERM', 'io_uring_register=EPERM', 'statx=EPERM', 'process_vm_readv=EPERM']) {
      expect(() => { expectReported(result, { rules: [rule], limits: [], place: 'disk' }); }).toThrow();
    }
  });
});
