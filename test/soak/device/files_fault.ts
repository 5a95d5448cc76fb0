import { constants } from 'node:os';
import type { Dice } from '../misuse/dice.js';
import type { Fault } from './control.js';

const { EIO, ENOSPC, EDQUOT, EROFS, EACCES, EINVAL, EOPNOTSUPP, ETIMEDOUT, ESTALE, ENOMEM } = constants.errno;

/** What a file system may answer where it has to find room. */
const noRoom = [EIO, ENOSPC, EDQUOT, EROFS];
const changes = [...noRoom, EACCES, ENOMEM];
const looks = [EIO, EIO, EACCES, ETIMEDOUT, ENOMEM];

const errnos: Readonly<Record<string, readonly number[]>> = {
  write: [EIO, EIO, ENOSPC, EDQUOT, EROFS, ETIMEDOUT],
  fsync: [EIO, EIO, ENOSPC, EDQUOT],
  fsyncdir: [EIO, EIO, ENOSPC],
  fallocate: noRoom,
  flush: [EIO, EDQUOT],
  truncate: [EIO, ENOSPC],
  create: changes,
  mkdir: changes,
  rename: changes,
  unlink: [EIO, EROFS, EACCES],
  rmdir: [EIO, EROFS, EACCES],
  read: [EIO, EIO, ETIMEDOUT, ESTALE],
  open: looks,
  getattr: looks,
  opendir: looks,
  readdir: [EIO, ETIMEDOUT],
  statfs: [EIO],
};

/** What a file system may not know of, and a save does without. */
const refusals: readonly (readonly [operation: string, errno: number])[] = [
  ['direct_write', EINVAL],
  ['direct_read', EINVAL],
  ['fallocate', EOPNOTSUPP],
  ['rename_flags', EINVAL],
];

/** A call of these that fails for good is heard by whoever asked for the save, or something is wrong. */
const heard = new Set(['write', 'fsync', 'fsyncdir', 'fallocate', 'truncate', 'create', 'mkdir', 'rename']);

export interface FilesFault extends Fault {
  /** What is asked for goes on all the same. */
  readonly harmless: boolean;
}

/** Whether a save of a new step cannot have succeeded. */
export function mustFail({ operation, harmless }: FilesFault): boolean {
  return !harmless && heard.has(operation);
}

function harmlessFault(dice: Dice, counts: ReadonlyMap<string, number>): FilesFault | undefined {
  const common = { harmless: true, value: dice.below(1000) };
  const known = refusals.filter(([operation]) => (counts.get(operation) ?? 0) > 0);
  const made: FilesFault[] = known.map(([operation, value]) => {
    return { operation, first: 1, times: 0, action: 'errno', harmless: true, value };
  });
  for (const operation of ['write', 'read']) {
    const count = counts.get(operation) ?? 0;
    if (count === 0) continue;
    made.push({ operation, first: 1 + dice.below(count), times: dice.pick([1, 3, 0]), action: 'short', ...common });
  }
  const [slow] = dice.anyOf([...counts].filter(([, count]) => count > 0)) ?? ['write'];
  made.push({ operation: slow, first: 1 + dice.below(counts.get(slow) ?? 1), times: 1, action: 'delay', ...common });
  return dice.anyOf(made);
}

/** @param counts how often each operation is asked for in what the fault is to befall */
export function filesFault(dice: Dice, counts: ReadonlyMap<string, number>): FilesFault {
  const roll = dice.below(10);
  const operations = [...counts].filter(([name, count]) => count > 0 && errnos[name] !== undefined);
  const [operation, count] = dice.pick(operations);
  const first = 1 + dice.below(count);
  if (roll === 0) return { operation, first, times: 1, action: 'exit', harmless: false, value: 0 };
  const harmless = roll <= 2 ? harmlessFault(dice, counts) : undefined;
  if (harmless !== undefined) return harmless;
  const value = dice.pick(errnos[operation]!);
  return { operation, first, times: dice.pick([1, 1, 1, 3, 0]), action: 'errno', harmless: false, value };
}
