import { SnapshardError } from '../errors.js';
import { parseSessionEntry, ranksDirectory, sessionDirectoryName } from '../layout/names.js';
import { hasErrno } from '../store/native_error.js';
import type { Store } from '../store/store.js';
import type { Backoff } from './backoff.js';
import type { Clock } from './clock.js';

/** One process of a run, and where the run's checkpoints go. */
export interface RankIdentity {
  readonly store: Store;
  /** Hexadecimal digits that stand for the run's id. */
  readonly run: string;
  readonly rank: number;
  readonly worldSize: number;
  /** Nonce of this writer. */
  readonly writer: string;
}

/** How long to try. */
export interface Patience {
  readonly clock: Clock;
  /** On that clock. */
  readonly deadline_ms: number;
  readonly backoff: Backoff;
}

/**
 * The processes that met, one for each rank: nobody else takes part in their saves. A process that starts again, or
 * wakes up after others took over, is in no session but its own.
 */
export interface Session extends RankIdentity {
  readonly nonce: string;
  /** Nonces of the writers by rank. */
  readonly roster: readonly string[];
}

/** Where ranks say that they have come. */
export function joinsDirectory(run: string, nonce: string): string {
  return `${sessionDirectoryName(run, nonce)}/${ranksDirectory}`;
}

/**
 * Whether a directory that rank 0 makes, of a session or of a save, has the one in it that all ranks write to. Told from
 * a listing: an NFS client that once asks for it by name too early may hold it for missing ever after (NFS 3, where
 * both directories were made within one tick of the server's clock).
 * @param swallowed is told of an error that says that it is gone
 */
export async function isComplete(
  store: Store,
  directory: string,
  swallowed?: (error: SnapshardError) => void,
): Promise<boolean> {
  try {
    return (await store.list(directory)).includes(ranksDirectory);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ESTALE')) throw error;
    swallowed?.(error as SnapshardError);
    return false;
  }
}

export function sessionDirectory({ run, nonce }: Session): string {
  return sessionDirectoryName(run, nonce);
}

/** What a look at the root shows of a run's sessions. */
export interface SessionsSeen {
  /** Nonces of those that are there. */
  readonly nonces: ReadonlySet<string>;
  /** Of those, the nonces of those that have a roster. */
  readonly closed: ReadonlySet<string>;
}

export function sessionsOf(run: string, names: readonly string[]): SessionsSeen {
  const entries = names.flatMap((name) => parseSessionEntry(name) ?? []).filter((entry) => entry.run === run);
  const noncesOf = (kind: string): Set<string> =>
    new Set(entries.filter((entry) => entry.kind === kind).map(({ nonce }) => nonce));
  return { nonces: noncesOf('directory'), closed: noncesOf('roster') };
}

/** Throws if the run was started anew since: it has taken the session's directory away, or has a later one. */
export function requireCurrent(session: Session, names: readonly string[]): void {
  const { nonces } = sessionsOf(session.run, names);
  const newer = [...nonces].some((nonce) => nonce > session.nonce);
  if (newer || !nonces.has(session.nonce)) throw sessionOver(session.store);
}

/** Does something in the directory of a session. @throws {SnapshardError} `ERR_SNAPSHARD_SESSION_OVER` if it is gone */
export async function inSession<Value>(store: Store, operation: Promise<Value>): Promise<Value> {
  try {
    return await operation;
  } catch (error) {
    throw hasErrno(error, 'ENOENT', 'ESTALE') ? sessionOver(store, error) : error;
  }
}

function sessionOver(store: Store, cause?: unknown): SnapshardError {
  const message =
    'Rank 0 of this run was started anew, or has closed its writer: open another writer on every rank. ' +
    'If two runs go on at once, give each its own `runId`.';
  return new SnapshardError('ERR_SNAPSHARD_SESSION_OVER', message, { cause, ranks: [0], path: store.root });
}
