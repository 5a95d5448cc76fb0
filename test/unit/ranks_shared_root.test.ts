import { mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ownFileSystem, requireSharedRoot } from '../../lib/ranks/shared_root.js';

const own: readonly (readonly [type: number, name: string])[] = [
  [0xef53, 'ext2, ext3 or ext4'],
  [0x58465342, 'XFS'],
  [0x9123683e, 'btrfs'],
  // As a signed number.
  [0x9123683e | 0, 'btrfs'],
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
  [0xf2f52010, 'F2FS'],
  [0x2fc12fc1, 'ZFS'],
  [0x794c7630, 'overlay'],
];
const shared: readonly (readonly [type: number, name: string])[] = [
  [0x6969, 'NFS'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x00c36400, 'Ceph'],
  [0xff534d42, 'CIFS'],
  [0x65735546, 'FUSE'],
  [0x7461636f, 'OCFS2'],
  [0x01021997, '9P'],
  [0x12345678, 'one that nobody knows'],
];

const made: string[] = [];

async function directoryIn(parent: string): Promise<string> {
  const path = await mkdtemp(join(parent, 'snapshard-shared-'));
  made.push(path);
  return path;
}

afterEach(async () => {
  await Promise.all(made.splice(0).map((path) => rm(path, { recursive: true })));
});

describe('file systems by type', () => {
  it.each(own)('takes %i for one that only its host has: %s', (type, name) => {
    expect(ownFileSystem(type)).toBe(name);
  });

  it.each(shared)('takes %i for one that hosts may share: %s', (type) => {
    expect(ownFileSystem(type)).toBeUndefined();
  });
});

describe('a root for ranks on several hosts', () => {
  it('may not be in memory', async () => {
    const root = await directoryIn('/dev/shm');
    const refusal = requireSharedRoot(root, true);
    await expect(refusal).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_NOT_SHARED', path: root });
    await expect(refusal).rejects.toThrow(`${root} is on a file system that only this host has (tmpfs)`);
    await expect(refusal).rejects.toThrow('pass `rank` and `worldSize`');
  });

  it('may not be on a disk of one host', async ({ skip }) => {
    const root = await directoryIn(tmpdir());
    const name = ownFileSystem((await statfs(root)).type);
    skip(name === undefined, 'the directory of temporary files is on a file system that hosts may share');
    await expect(requireSharedRoot(root, true)).rejects.toThrow(`(${name})`);
  });

  it('may be anywhere where all ranks are on one host', async () => {
    await expect(requireSharedRoot(await directoryIn('/dev/shm'), false)).resolves.toBeUndefined();
  });

  it('passes where the system does not know it', async () => {
    // procfs is in no list; a path that is not there cannot be asked.
    await expect(requireSharedRoot('/proc', true)).resolves.toBeUndefined();
    await expect(requireSharedRoot(join(await directoryIn('/dev/shm'), 'missing'), true)).resolves.toBeUndefined();
  });
});
