import { statfs } from 'node:fs/promises';
import { SnapshardError } from '../errors.js';

/** File systems that one host has for itself, by `f_type` of statfs(2): linux/magic.h, and ZFS' own headers. */
const ownFileSystems: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext2, ext3 or ext4'],
  [0x58465342, 'XFS'],
  [0x9123683e, 'btrfs'],
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
  [0xf2f52010, 'F2FS'],
  [0x2fc12fc1, 'ZFS'],
  [0x794c7630, 'overlay'],
]);

/** The name of a file system that only its host has; `undefined` for one that hosts share, or that is not known. */
export function ownFileSystem(type: number): string | undefined {
  // The field is signed on some machines.
  return ownFileSystems.get(type >>> 0);
}

/**
 * Refuses a root that each host of the run has for itself: every host would write its own part to its own disk.
 * One whose file system cannot be told passes.
 * @throws {SnapshardError} `ERR_SNAPSHARD_NOT_SHARED`
 */
export async function requireSharedRoot(root: string, severalHosts: boolean): Promise<void> {
  if (!severalHosts) return;
  // What is wrong with a root that cannot be asked, opening it tells better.
  const name = await statfs(root).then(({ type }) => ownFileSystem(type), () => undefined);
  if (name === undefined) return;
  throw new SnapshardError(
    'ERR_SNAPSHARD_NOT_SHARED',
    `The ranks are on several hosts, and ${root} is on a file system that only this host has (${name}): each host ` +
      'would write its own part to its own disk, and no checkpoint would ever be whole. Use one directory that is ' +
      'mounted on all hosts (NFS, Lustre, …). If they do share this one, or are in truth one machine, pass `rank` ' +
      'and `worldSize` to CheckpointWriter.open, which then takes your word for it.',
    { path: root },
  );
}
