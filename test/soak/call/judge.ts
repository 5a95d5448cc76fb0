import assert from 'node:assert/strict';
import { SnapshardError } from 'snapshard';
import { refusable } from './catalog.js';
import { short, type Fault } from './refusal.js';

const codes: Readonly<Record<string, string>> = {
  ENOSPC: 'NO_SPACE',
  EDQUOT: 'NO_SPACE',
  EROFS: 'READ_ONLY',
  EACCES: 'PERMISSION',
  EPERM: 'PERMISSION',
  EMFILE: 'TOO_MANY_FILES',
  ENFILE: 'TOO_MANY_FILES',
  ENOMEM: 'NO_MEMORY',
};

/** ESTALE is how a server says that something was removed: believed where a second look does not say otherwise. */
export const gone: ReadonlySet<string> = new Set(['NOT_FOUND', 'GIVEN_UP', 'SESSION_OVER', 'RANK_FAILED'].map((code) => `ERR_SNAPSHARD_${code}`));

function* causesOf(error: unknown): Generator<SnapshardError> {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof SnapshardError) yield at;
}

/** What every failure must be, whoever tells of it. */
export function expectCoded(error: unknown): asserts error is SnapshardError {
  assert(error instanceof SnapshardError, `An error without a code: ${error instanceof Error ? error.stack : String(error)}`);
  assert.match(error.code, /^ERR_SNAPSHARD_[A-Z_]+$/);
}

/** Whether text tells of the call and the error that was refused. */
export function tellsOf(text: string, { call, error }: Fault): boolean {
  const { told = [call] } = refusable[call] ?? {};
  return text.includes(error) && told.some((name) => text.includes(name));
}

/** A source that the kernel cannot read is one that JavaScript took away; see docs/architecture.md. */
function isDetached({ code }: SnapshardError, { call, error }: Fault): boolean {
  if (code !== 'ERR_SNAPSHARD_SOURCE_DETACHED') return false;
  return call === 'process_vm_readv' ? error === 'EFAULT' : call === 'pread' && (error === 'EIO' || error === short);
}

/**
 * It has a code that fits, and names the call, the error and the path.
 * @param roots what the path may be below
 */
export function expectNames(error: unknown, fault: Fault, roots: readonly string[]): void {
  expectCoded(error);
  if (isDetached(error, fault)) return;
  const { told = [fault.call], path } = refusable[fault.call]!;
  const teller = [...causesOf(error)].find(({ errno }) => errno === fault.error);
  const said = `${error.code}: ${error.message}`;
  assert(teller !== undefined, `The error does not name ${fault.error}: ${said}`);
  assert(told.includes(teller.syscall ?? ''), `The error names ${teller.syscall} in place of ${told.join(', ')}: ${said}`);
  assert(tellsOf(teller.message, fault) || tellsOf(error.message, fault), `The message says neither: ${said}`);
  if (fault.error === 'ESTALE' && gone.has(error.code)) return;
  if (path) assert([...roots, '/proc/self/'].some((root) => teller.path?.startsWith(root)), `The error names no path: ${said}`);
  const fitting = [`ERR_SNAPSHARD_${codes[fault.error] ?? 'IO'}`, 'ERR_SNAPSHARD_DURABILITY_UNKNOWN'];
  if (/^io_uring_(setup|enter)$/.test(fault.call)) fitting.push('ERR_SNAPSHARD_IO_URING_UNAVAILABLE');
  assert(fitting.includes(error.code), `${error.code} does not fit ${fault.error}: ${said}`);
}
