import { readFileSync, statfsSync } from 'node:fs';
import { sizeIn } from '../cli/text.js';
import { SnapshardError } from '../errors.js';

/** What lies in the folder, and in memory, at most at one time. */
export interface Room {
  outputBytes: number;
  memoryBytes: number;
}

const tmpfsMagic = 0x01021994;
const ramfsMagic = 0x858458f6;
/** File systems are slow, and other things fail, when they are filled to the brim. */
const spareShare = 0.05;
const spareBytes = 2 ** 28;

/**
 * Refuses when `directory` has no room for what is written, or the machine none for what is held in memory.
 * @throws {SnapshardError} `ERR_SNAPSHARD_NO_SPACE`, `ERR_SNAPSHARD_NO_MEMORY`
 */
export function requireRoom(directory: string, { outputBytes, memoryBytes }: Room): void {
  const { bavail, bsize, type } = statfsSync(directory);
  const free = bavail * bsize;
  const needed = Math.ceil(outputBytes * (1 + spareShare)) + Math.min(spareBytes, outputBytes);
  if (free < needed) {
    const message =
      `${directory} has ${sizeIn(free)} free, and this needs ${sizeIn(needed)} there at one time: ` +
      'choose another folder, or fewer --bytes.';
    throw new SnapshardError('ERR_SNAPSHARD_NO_SPACE', message, { path: directory });
  }
  const inMemory = type === tmpfsMagic || type === ramfsMagic;
  const held = memoryBytes + (inMemory ? outputBytes : 0);
  const available = availableMemoryBytes();
  if (available >= held) return;
  const why = inMemory ? ', what it writes included, since that folder is in memory too' : '';
  const message = `${sizeIn(available)} of memory are free, and this needs ${sizeIn(held)}${why}: choose fewer --bytes.`;
  throw new SnapshardError('ERR_SNAPSHARD_NO_MEMORY', message);
}

/** What may be used before something else has to go, or before this container's limit is reached. */
function availableMemoryBytes(): number {
  const match = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'));
  return Math.min(Number(match?.[1] ?? 0) * 1024, process.availableMemory());
}
