import assert from 'node:assert/strict';
import { whyNot, type FaultyResult } from '../../support/faulty_run.js';
import type { Dice } from '../misuse/dice.js';
import type { Place } from './places.js';

/** What is refused at once. */
export interface Refusals {
  /** Calls, and their errors; see deny.c. */
  readonly rules: readonly string[];
  /** Commands that take something away. */
  readonly limits: readonly string[];
  readonly place: Place;
  readonly descriptorsLeft?: number;
}

/** Each call, and what kernels and sandboxes without it answer. */
const calls: readonly (readonly [call: string, errors: readonly string[]])[] = [
  ['fadvise64', ['ENOSYS', 'EINVAL']],
  ['fallocate', ['EOPNOTSUPP', 'ENOSYS']],
  ['flock', ['ENOSYS', 'EOPNOTSUPP']],
  ['fstatfs', ['ENOSYS', 'EPERM']],
  ['io_uring_register', ['EPERM', 'ENOMEM', 'EINVAL']],
  ['io_uring_setup', ['EPERM', 'ENOSYS', 'ENOMEM']],
  ['openat2', ['ENOSYS', 'EPERM']],
  ['process_vm_readv', ['EPERM', 'ENOSYS']],
  ['renameat2', ['EINVAL', 'ENOSYS']],
  ['statx', ['ENOSYS', 'EPERM']],
  ['sync_file_range', ['ENOSYS', 'EINVAL']],
];
const noMemlock = ['setpriv', '--bounding-set', '-ipc_lock', 'prlimit', '--memlock=0'];
const places: readonly Place[] = ['disk', 'disk', 'memory', 'overlay'];

let memlockRefused: string | undefined | null = null;

function canLimitMemlock(): boolean {
  if (memlockRefused === null) memlockRefused = whyNot(noMemlock);
  return memlockRefused === undefined;
}

export function refusalsOf(dice: Dice): Refusals {
  const chosen = calls.filter(() => dice.chance(0.4));
  const limited = dice.chance(0.3);
  const few = dice.chance(0.3);
  return {
    rules: chosen.map(([call, errors]) => `${call}=${dice.pick(errors)}`),
    limits: limited && canLimitMemlock() ? noMemlock : [],
    place: dice.pick(places),
    ...(few && { descriptorsLeft: 16 }),
  };
}

/** Whatever is in the place of what was refused says so. */
export function expectReported({ capabilities, saves }: FaultyResult, { rules, limits, place }: Refusals): void {
  const refused = (call: string): boolean => rules.some((rule) => rule.startsWith(`${call}=`));
  assert.equal(capabilities.memoryReader === 'process_vm_readv', !refused('process_vm_readv'));
  if (refused('io_uring_setup')) {
    assert(!capabilities.ioUring.available && capabilities.ioUring.reason.includes('io_uring_setup'), capabilities.ioUring.reason);
  }
  for (const { engine, engineReason, direct, directReason } of saves) {
    if (refused('io_uring_setup')) {
      assert.equal(engine, 'pwrite');
      assert.match(engineReason, /io_uring is not available: io_uring_setup/);
    } else if (refused('io_uring_register')) {
      assert.match(engineReason, /not (registered|available)/);
    } else if (limits.length > 0 && capabilities.ioUring.available) {
      assert.match(engineReason, /RLIMIT_MEMLOCK/);
    }
    assert.equal(directReason === '', direct === 'yes', `direct: ${direct}, because ${directReason}`);
    if (refused('statx') || place === 'memory') assert.notEqual(direct, 'yes');
  }
}
