import assert from 'node:assert/strict';
import { constants } from 'node:os';
import type { Failure } from './subject.js';

const { errno } = constants;

/** The code that an errno is told with. */
const codes: Readonly<Record<string, string>> = {
  ENOSPC: 'ERR_SNAPSHARD_NO_SPACE',
  EDQUOT: 'ERR_SNAPSHARD_NO_SPACE',
  EROFS: 'ERR_SNAPSHARD_READ_ONLY',
  EACCES: 'ERR_SNAPSHARD_PERMISSION',
  EPERM: 'ERR_SNAPSHARD_PERMISSION',
  ENOMEM: 'ERR_SNAPSHARD_NO_MEMORY',
  ENFILE: 'ERR_SNAPSHARD_TOO_MANY_FILES',
};

/** Published, or perhaps, when the fault came. */
export const unknown = 'ERR_SNAPSHARD_DURABILITY_UNKNOWN';

export function errnoName(value: number): string {
  const found = Object.entries(errno).find(([, each]) => each === value);
  assert(found !== undefined, `No errno is ${value}.`);
  return found[0];
}

/** Coded, with the errno of what happened, and a message that says it. */
export function expectTells(failure: Failure, errnos: readonly string[]): void {
  const said = JSON.stringify(failure);
  assert.match(failure.code, /^ERR_SNAPSHARD_[A-Z_]+$/, said);
  assert(failure.errno !== undefined && errnos.includes(failure.errno), `Expected ${errnos.join(' or ')}: ${said}`);
  if (failure.code === unknown) return;
  assert.equal(failure.code, codes[failure.errno] ?? 'ERR_SNAPSHARD_IO', said);
  assert(failure.message.includes(failure.errno) && failure.message.length > 40, said);
}
