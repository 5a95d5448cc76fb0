import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, type TestContext } from 'vitest';
import { MiB } from '../support/bytes.js';
import { denying, saveUnder, tightOptions, type FaultyResult } from '../support/faulty_save.js';
import { mountSmallDisk, type Format, type LoopMount } from '../support/loop_mount.js';
import { diskFolder, useRoot } from '../support/root.js';

const root = useRoot();
let normalRoot: string;
let normal: FaultyResult;
let disk: LoopMount | undefined;

beforeAll(async () => {
  normalRoot = mkdtempSync(join(diskFolder(), 'snapshard-test-'));
  normal = await saveUnder([], { root: normalRoot });
});

afterAll(() => {
  rmSync(normalRoot, { recursive: true, force: true });
});

// Registered after the hook that removes the root, and so called before it.
afterEach(() => {
  disk?.unmount();
  disk = undefined;
});

function skip(context: TestContext, reason: string): never {
  console.warn(`skipped: ${reason}`);
  return context.skip(reason);
}

function mount(context: TestContext, bytes: number, format: Format): LoopMount {
  const made = mountSmallDisk(root.path, bytes, format);
  if (typeof made === 'string') return skip(context, made);
  return (disk = made);
}

const btrfs: Format = { make: ['mkfs.btrfs', '-q', '-f'] };
const twice = [{ step: 1 }, { step: 2, inPlace: true }];

function expectSameAsNormal(result: FaultyResult): void {
  expect(result.failure).toBeUndefined();
  for (const save of result.saves) {
    expect(save.failure).toBeUndefined();
    expect(save.contents).toEqual(normal.saves[0]?.contents);
  }
}

describe('a file system', () => {
  it('in memory: buffered', async (context) => {
    const folder = '/dev/shm';
    if (!existsSync(folder)) skip(context, 'no /dev/shm');
    if (statfsSync(folder).bavail * statfsSync(folder).bsize < 64 * MiB) skip(context, '/dev/shm is small');
    const path = mkdtempSync(join(folder, 'snapshard-test-'));
    onTestFinished(() => {
      rmSync(path, { recursive: true, force: true });
    });
    const result = await saveUnder([], { root: path, saves: twice });
    expectSameAsNormal(result);
    expect(result.saves[0]).toMatchObject({ direct: 'no', directReason: 'tmpfs is memory', engine: 'pwrite' });
  });

  it('XFS: direct', async (context) => {
    const { path } = mount(context, 320 * MiB, { make: ['mkfs.xfs', '-q', '-f'] });
    const result = await saveUnder([], { root: path, saves: twice });
    expectSameAsNormal(result);
    expect(result.saves[0]).toMatchObject({ direct: 'yes', directReason: '' });
  });

  it('Btrfs: buffered, since it copies direct writes', async (context) => {
    const { path } = mount(context, 256 * MiB, btrfs);
    const result = await saveUnder([], { root: path, saves: twice });
    expectSameAsNormal(result);
    expect(result.saves[0]).toMatchObject({ direct: 'no', engine: 'pwrite' });
    expect(result.saves[0]?.directReason).toContain('btrfs');
  });

  it('ext4 that journals its data: buffered, since it refuses direct writes', async (context) => {
    const { path } = mount(context, 96 * MiB, { make: ['mkfs.ext4', '-q'], mountOptions: 'data=journal' });
    const result = await saveUnder([], { root: path, saves: twice });
    expectSameAsNormal(result);
    expect(result.saves[0]?.direct).toBe('no');
  });

  it.for([
    ['set aside', []],
    ['written, which comes short', ['fallocate=EOPNOTSUPP']],
  ] as const)('with a quota: EDQUOT when it is %s, and what fits is saved', async ([_title, rules], context) => {
    const { path } = mount(context, 256 * MiB, btrfs);
    await expectQuotaToHold(path, rules);
  });
});

async function expectQuotaToHold(path: string, rules: readonly string[]): Promise<void> {
  execFileSync('btrfs', ['quota', 'enable', path], { stdio: 'pipe' });
  execFileSync('btrfs', ['qgroup', 'limit', '40M', path], { stdio: 'pipe' });
  const options = { ...tightOptions, shardBytes: 100 * MiB };
  const launcher = rules.length === 0 ? [] : denying(...rules);
  const tooLarge = await saveUnder(launcher, { root: path, options, saves: [{ step: 1, extraBytes: 50 * MiB }] });
  expect(tooLarge.saves[0]?.failure?.code).toBe('ERR_SNAPSHARD_NO_SPACE');
  expect(tooLarge.saves[0]?.failure?.errno).toMatch(/^(EDQUOT|ENOSPC)$/);
  expect(tooLarge.names).toEqual([]);
  // Btrfs gives the quota of deleted files back when it next commits.
  execFileSync('btrfs', ['filesystem', 'sync', path], { stdio: 'pipe' });
  const fitting = await saveUnder(launcher, { root: path, options });
  expect(fitting.saves[0]?.failure).toBeUndefined();
  expect(fitting.saves[0]?.contents.tensors).toEqual(normal.saves[0]?.contents.tensors);
  expect(fitting.names).toEqual(['step-0000000001']);
}
