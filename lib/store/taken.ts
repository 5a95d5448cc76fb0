import { SnapshardError } from '../errors.js';
import { hasErrno } from './native_error.js';
import type { PartialCheckpoint } from './publish.js';
import type { Store } from './store.js';

/** The error of a save whose directory, or a file in it, was taken away. */
export function givenUp(partial: PartialCheckpoint, root: string, cause: unknown): SnapshardError {
  const message =
    `Another process took ${partial.path} away, or something in it: ` +
    `is a second writer at work on step ${partial.step}?`;
  return new SnapshardError('ERR_SNAPSHARD_GIVEN_UP', message, { cause, path: `${root}/${partial.path}` });
}

/**
 * What others did, on this machine or on the server of the root, shows as something that is not there: says what it is.
 * @returns the reason itself, where it tells of none of that
 */
export async function explainTaken(store: Store, partial: PartialCheckpoint, reason: unknown): Promise<unknown> {
  if (!(reason instanceof SnapshardError)) return reason;
  // That it is published, or may be, matters more.
  if (reason.code === 'ERR_SNAPSHARD_DURABILITY_UNKNOWN') return reason;
  const missing = hasErrno(reason, 'ENOENT', 'ESTALE');
  if (!missing && reason.code !== 'ERR_SNAPSHARD_GIVEN_UP') return reason;
  const path = `${store.root}/${partial.path}`;
  const making = reason.syscall === 'mkdirat' && reason.path === path;
  // A root that was deleted on this machine can still be listed; nothing can be made in it.
  if ((making && hasErrno(reason, 'ENOENT')) || (await isGone(store))) return rootGone(store.root, reason);
  return missing && !making && isAtOrBelow(path, reason.path) ? givenUp(partial, store.root, reason) : reason;
}

async function isGone(store: Store): Promise<boolean> {
  try {
    await store.listRoot();
    return false;
  } catch (error) {
    return hasErrno(error, 'ENOENT', 'ESTALE');
  }
}

function isAtOrBelow(directory: string, path = ''): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

function rootGone(root: string, cause: SnapshardError): SnapshardError {
  const { errno, syscall } = cause;
  const said = errno === undefined ? '' : ` (${errno} from ${syscall})`;
  // A server that is about to go may say so of what is there.
  const passing = errno === 'ESTALE' ? ', or try again, should the server have been restarted' : '';
  const message = `${root} was deleted, or replaced, since this writer opened it${said}: open another writer on what is there now${passing}.`;
  const details = { ...(errno !== undefined && { errno }), ...(syscall !== undefined && { syscall }) };
  return new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', message, { cause, path: root, ...details });
}
