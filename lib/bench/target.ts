/** What a result tells of the folder that was measured. */
import type { Stats } from 'node:fs';
import { realpath, stat, statfs } from 'node:fs/promises';
import { SnapshardError, type SnapshardErrorCode } from '../errors.js';
import { allTraits, blockDevice, deviceNumber, deviceText, type BlockDevice } from './block_device.js';
import { mountOf, optionValue, type Mount } from './mounts.js';
import { remarksOf } from './remarks.js';
import type { Target } from './result.js';

/**
 * @param directory must exist
 * @throws {SnapshardError} `NOT_FOUND`, `NOT_A_DIRECTORY`, `PERMISSION`, `IO`
 */
export async function describeTarget(directory: string): Promise<Target> {
  try {
    return await describe(await realpath(directory));
  } catch (error) {
    throw asSnapshardError(error as NodeJS.ErrnoException, directory);
  }
}

async function describe(path: string): Promise<Target> {
  const [{ bsize, blocks, bavail }, mount] = await Promise.all([statfs(path), mountOf(`${path}/`)]);
  const device = mount === undefined ? undefined : await deviceOf(mount);
  return {
    path,
    fileSystem: mount?.fileSystem ?? 'unknown',
    source: mount?.source ?? 'unknown',
    mountOptions: [...(mount?.options ?? [])],
    ...(device === undefined ? {} : { device: deviceText(device) }),
    totalBytes: blocks * bsize,
    freeBytes: bavail * bsize,
    remarks: mount === undefined ? [] : remarksOf(mount, device === undefined ? undefined : allTraits(device)),
  };
}

async function deviceOf(mount: Mount): Promise<BlockDevice | undefined> {
  const known = blockDevice(mount.device);
  if (known !== undefined) return known;
  const upper = optionValue(mount.options, 'upperdir');
  if (upper !== undefined) return blockDevice(deviceNumber((await statOf(upper))?.dev ?? 0));
  // btrfs numbers its subvolumes itself; its source is the first of its devices.
  const source = mount.source.startsWith('/dev/') ? await statOf(mount.source) : undefined;
  return source?.isBlockDevice() === true ? blockDevice(deviceNumber(source.rdev)) : undefined;
}

function statOf(path: string): Promise<Stats | undefined> {
  return stat(path).catch(() => undefined);
}

const codes: Partial<Record<string, SnapshardErrorCode>> = {
  ENOENT: 'ERR_SNAPSHARD_NOT_FOUND',
  ENOTDIR: 'ERR_SNAPSHARD_NOT_A_DIRECTORY',
  EACCES: 'ERR_SNAPSHARD_PERMISSION',
  EPERM: 'ERR_SNAPSHARD_PERMISSION',
};

const remedies: Partial<Record<string, string>> = {
  ENOENT: 'It does not exist: create it, or correct the path.',
  ENOTDIR: 'It is a file: give the folder that is to be measured.',
  EACCES: 'This process may not: check the owner and the mode.',
};

function asSnapshardError(error: NodeJS.ErrnoException, path: string): unknown {
  const { code, syscall } = error;
  if (code === undefined) return error;
  const message = `Cannot look at ${path}: ${remedies[code] ?? error.message}`;
  const details = { cause: error, errno: code, path, ...(syscall === undefined ? {} : { syscall }) };
  return new SnapshardError(codes[code] ?? 'ERR_SNAPSHARD_IO', message, details);
}
