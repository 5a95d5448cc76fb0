import { SnapshardError } from '../errors.js';
import { joinName, parseJoin, rosterName, sessionDirectoryName } from '../layout/names.js';
import { ranksText } from '../layout/ranks_text.js';
import { hasErrno } from '../store/native_error.js';
import { toError } from './failure.js';
import { decodeRoster, rosterLimitBytes, type Roster } from './roster.js';
import { isComplete, joinsDirectory, sessionsOf, type Patience, type RankIdentity, type Session } from './session.js';

/**
 * Every other rank leaves its nonce in each session of its run that is not closed yet, and belongs to the one whose
 * roster holds it. Sessions that were closed when it first looked are those of earlier processes: it waits for another.
 * @throws {SnapshardError} `ERR_SNAPSHARD_DEADLINE`, saying what it saw meanwhile; `SESSION_OVER` when another process
 *   of the same rank took its place; what rank 0 wrote instead of a roster
 */
export async function joinSession(identity: RankIdentity, patience: Patience): Promise<Session> {
  const { clock, deadline_ms, backoff } = patience;
  const meeting = new Joins(identity);
  for (;;) {
    const session = await meeting.look();
    if (session !== undefined) return session;
    if (clock.now() >= deadline_ms) throw await meeting.tooLate();
    await backoff.pause();
  }
}

/** Where one process has left its nonce. */
class Joins {
  readonly #identity: RankIdentity;
  readonly #joined = new Set<string>();
  /** Closed at the first look. */
  #earlier: ReadonlySet<string> | undefined;
  /** A server that calls a handle stale means mostly that something was removed; where it goes on, it is the reason. */
  #stale: SnapshardError | undefined;

  constructor(identity: RankIdentity) {
    this.#identity = identity;
  }

  async look(): Promise<Session | undefined> {
    const { store, run } = this.#identity;
    const { nonces, closed } = sessionsOf(run, await store.listRoot());
    this.#earlier ??= closed;
    for (const nonce of closed) {
      const session = this.#earlier.has(nonce) ? undefined : await this.#enter(nonce);
      if (session !== undefined) return session;
    }
    for (const nonce of nonces) {
      if (!this.#joined.has(nonce) && !closed.has(nonce)) await this.#join(nonce);
    }
    return undefined;
  }

  async #join(nonce: string): Promise<void> {
    const { store, run, rank, worldSize, writer } = this.#identity;
    const swallowed = (error: SnapshardError): void => void this.#isGone(error);
    if (!(await isComplete(store, sessionDirectoryName(run, nonce), swallowed))) return;
    const path = `${joinsDirectory(run, nonce)}/${joinName({ rank, worldSize, nonce: writer })}`;
    try {
      await store.writeFiles([{ path, contents: new Uint8Array(0) }]);
    } catch (error) {
      // It was taken away: the next look tells.
      if (this.#isGone(error)) return;
      // A reply that was lost, and the call made again.
      if (!hasErrno(error, 'EEXIST')) throw error;
    }
    this.#stale = undefined;
    this.#joined.add(nonce);
  }

  async #enter(nonce: string): Promise<Session | undefined> {
    const roster = await this.#readRoster(nonce);
    if (roster === undefined) return undefined;
    if ('failure' in roster) throw toError(roster.failure);
    const { rank, writer } = this.#identity;
    if (roster.writers[rank] === writer) return { ...this.#identity, nonce, roster: roster.writers };
    const message =
      `Another process is rank ${rank} of this run: this one was started twice, or again after the others had met. ` +
      'Start all ranks of a run together.';
    throw new SnapshardError('ERR_SNAPSHARD_SESSION_OVER', message, { ranks: [rank], path: this.#identity.store.root });
  }

  async #readRoster(nonce: string): Promise<Roster | undefined> {
    const { store, run } = this.#identity;
    try {
      const name = rosterName(run, nonce);
      return decodeRoster(await store.readFile(name, rosterLimitBytes), `${store.root}/${name}`);
    } catch (error) {
      if (this.#isGone(error)) return undefined;
      throw error;
    }
  }

  #isGone(error: unknown): boolean {
    if (hasErrno(error, 'ESTALE')) this.#stale = error as SnapshardError;
    return hasErrno(error, 'ENOENT', 'ESTALE');
  }

  async tooLate(): Promise<SnapshardError> {
    const late = await this.#whyLate();
    if (this.#stale === undefined) return late;
    const message = `${late.message} The system had refused: ${this.#stale.message}`;
    const details = { path: this.#identity.store.root, cause: this.#stale };
    return new SnapshardError(late.code, message, { ...details, ...(late.ranks !== undefined && { ranks: late.ranks }) });
  }

  async #whyLate(): Promise<SnapshardError> {
    const { store, rank, worldSize, run } = this.#identity;
    const details = (ranks: number[]): object => ({ ranks, path: store.root });
    const missing = await this.#missing();
    if (missing !== undefined && missing.length > 0) {
      const message = `By the deadline of rank ${rank}, ${ranksText(missing)} of ${worldSize} had not opened a writer on ${store.root}.`;
      return new SnapshardError('ERR_SNAPSHARD_DEADLINE', message, details(missing));
    }
    const earlier = [...(this.#earlier ?? [])].sort().at(-1);
    if (earlier !== undefined && this.#joined.size === 0) {
      const roster = await this.#readRoster(earlier);
      if (roster !== undefined && 'failure' in roster) return toError(roster.failure);
      const met = roster === undefined ? '' : ` (${roster.writers.length}, and this one was opened with \`worldSize\` ${worldSize})`;
      const message = `The ranks of this run met before rank ${rank} came${met}, and rank 0 did not call them again: restart all ranks together.`;
      return new SnapshardError('ERR_SNAPSHARD_SESSION_OVER', message, details([rank]));
    }
    const message =
      `By the deadline of rank ${rank}, rank 0 had not opened a writer on ${store.root} (session of run ${run}). ` +
      'Did it start, with the same `runId`, and is the root one directory that all hosts share?';
    return new SnapshardError('ERR_SNAPSHARD_DEADLINE', message, details([0]));
  }

  /** Ranks that have not come to the latest session that this one is waiting in; `undefined` where it waits in none. */
  async #missing(): Promise<number[] | undefined> {
    const { store, run, worldSize } = this.#identity;
    const latest = [...this.#joined].sort().at(-1);
    if (latest === undefined) return undefined;
    const names = await store.list(joinsDirectory(run, latest)).catch(() => undefined);
    if (names === undefined) return undefined;
    const here = new Set([0, ...names.flatMap((name) => parseJoin(name)?.rank ?? [])]);
    return Array.from({ length: worldSize }, (_, other) => other).filter((other) => !here.has(other));
  }
}
