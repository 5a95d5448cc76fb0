import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, type TestContext } from 'vitest';
import { describeMachine, versions } from '../../lib/bench/machine.js';
import { describeTarget } from '../../lib/bench/target.js';
import { MiB } from '../support/bytes.js';
import { mountSmallDisk, type Format, type LoopMount } from '../support/loop_mount.js';
import { useRoot } from '../support/root.js';

const root = useRoot();
const mounted: string[] = [];
let disk: LoopMount | undefined;

// Registered after the hook that removes the root, and so called before it.
afterEach(() => {
  for (const path of mounted.splice(0).reverse()) run('umount', '--lazy', path);
  disk?.unmount();
  disk = undefined;
});

function run(command: string, ...options: string[]): string {
  return execFileSync(command, options, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

function mount(context: TestContext, format: Format): LoopMount {
  const made = mountSmallDisk(root.path, 512 * MiB, format);
  if (typeof made === 'string') return context.skip(made);
  return (disk = made);
}

/** What `findmnt` and `stat -f` of util-linux and coreutils say of the same folder. */
async function expectAsTold(path: string): Promise<void> {
  const target = await describeTarget(path);
  const told = (column: string): string => run('findmnt', '-n', '-o', column, '-T', path).split('\n').at(-1)!.trim();
  expect(target.fileSystem).toBe(told('FSTYPE'));
  // findmnt adds the folder of the file system that is mounted, in brackets, where it is not the root.
  expect(target.source).toBe(told('SOURCE').replace(/\[.*\]$/, ''));
  expect([...target.mountOptions].sort()).toEqual(told('OPTIONS').split(',').sort());
  const [blockBytes, blocks, free] = run('stat', '-f', '-c', '%S %b %a', path).split(' ').map(Number);
  expect(target.totalBytes).toBe(blockBytes! * blocks!);
  expect(Math.abs(target.freeBytes - blockBytes! * free!)).toBeLessThan(0.05 * target.totalBytes + MiB);
}

describe('the target', () => {
  it('is what findmnt and stat tell, here and in memory', async () => {
    await expectAsTold(root.path);
    await expectAsTold('/dev/shm');
    expect((await describeTarget('/dev/shm')).remarks.join()).toContain('measures memory');
  });

  it.for<[string, Format, RegExp]>([
    ['ext4', { make: ['mkfs.ext4', '-q'], mountOptions: 'sync' }, /sync makes each write wait/],
    ['xfs', { make: ['mkfs.xfs', '-q', '-m', 'reflink=1'] }, /loop device/],
    ['btrfs', { make: ['mkfs.btrfs', '-q', '-f'], mountOptions: 'compress=zstd' }, /compresses \(zstd/],
  ])('is that on %s in a loop device, which is named with its file', async ([fileSystem, format, remark], context) => {
    const { path } = mount(context, format);
    await expectAsTold(path);
    const target = await describeTarget(path);
    expect(target.fileSystem).toBe(fileSystem);
    expect(target.device).toMatch(/^loop\d+ \(.*disk\.img\)/);
    expect(target.remarks.join()).toMatch(remark);
  });

  it('is the right mount below a bind mount, one over another, and behind a link', async (context) => {
    const { path } = mount(context, { make: ['mkfs.ext4', '-q'] });
    mkdirSync(join(path, 'inner/deep'), { recursive: true });
    const bound = join(root.path, 'bound');
    mkdirSync(bound);
    run('mount', '--bind', join(path, 'inner'), bound);
    mounted.push(bound);
    await expectAsTold(join(bound, 'deep'));
    expect((await describeTarget(join(bound, 'deep'))).source).toMatch(/^\/dev\/loop/);

    run('mount', '-t', 'tmpfs', 'snapshard-test', bound);
    mounted.push(bound);
    expect(await describeTarget(bound)).toMatchObject({ fileSystem: 'tmpfs', source: 'snapshard-test' });

    const link = join(root.path, 'link');
    symlinkSync(join(path, 'inner'), link);
    expect(await describeTarget(link)).toMatchObject({ fileSystem: 'ext4', path: join(path, 'inner') });
  });

  it('of an overlay has the device of its upper layer', async (context) => {
    const { path } = mount(context, { make: ['mkfs.ext4', '-q'] });
    for (const name of ['lower', 'upper', 'work', 'merged']) mkdirSync(join(path, name));
    const layers = ['lower', 'upper', 'work'].map((name) => `${name}dir=${join(path, name)}`).join(',');
    run('mount', '-t', 'overlay', 'overlay', '-o', layers, join(path, 'merged'));
    mounted.push(join(path, 'merged'));
    const { fileSystem, device, remarks } = await describeTarget(join(path, 'merged'));
    expect(fileSystem).toBe('overlay');
    expect(device).toMatch(/^loop\d+ \(.*disk\.img\)/);
    expect(remarks[0]).toContain(join(path, 'upper'));
  });

  it('must be a folder that is there', async () => {
    const file = join(root.path, 'file');
    writeFileSync(file, '');
    await expect(describeTarget(join(root.path, 'none'))).rejects.toMatchObject({
      code: 'ERR_SNAPSHARD_NOT_FOUND',
      errno: 'ENOENT',
      path: join(root.path, 'none'),
    });
    await expect(describeTarget(file)).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_NOT_A_DIRECTORY' });
  });
});

describe('the machine', () => {
  it('is what the kernel tells', () => {
    const { cpu, cores, memoryBytes, kernel } = describeMachine();
    expect(cores).toBe(Number(run('nproc')));
    expect(kernel).toBe(run('uname', '-r'));
    expect(memoryBytes).toBeGreaterThan(0);
    expect(memoryBytes).toBeLessThanOrEqual(totalmem());
    expect(run('cat', '/proc/cpuinfo')).toContain(cpus()[0]!.model.trim() === 'unknown' ? '' : cpu);
    expect(versions()).toEqual({
      snapshard: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
      node: process.version,
      kernel,
    });
  });
});
