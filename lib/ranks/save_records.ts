import {
  deadSaveName,
  failureName,
  parseDeadSave,
  parseFailureName,
  partialDirectoryName,
  saveNonce,
  type SaveKey,
} from '../layout/names.js';
import { newNonce } from '../store/nonce.js';
import { renameOwn } from '../store/rename.js';
import type { Store } from '../store/store.js';
import { decodeFailure, encodeFailure, recordLimitBytes, unexplained, type Failure } from './failure.js';
import { inSession, sessionDirectory, type Session } from './session.js';

/** What the ranks of a session leave in the store about one save: its directory, and why it failed. */
export class SaveRecords {
  readonly session: Session;
  readonly key: SaveKey;
  readonly nonce: string;
  /** Of the save under way, below the root. */
  readonly path: string;
  readonly #store: Store;

  constructor(session: Session, key: SaveKey) {
    this.session = session;
    this.key = key;
    this.nonce = saveNonce(session.nonce, key.attempt);
    this.path = partialDirectoryName(key.step, this.nonce);
    this.#store = session.store;
  }

  /** The name that the directory gets when this rank gives the save up. */
  get deadName(): string {
    return this.deadNameOf(this.session.rank);
  }

  deadNameOf(rank: number): string {
    return deadSaveName(this.session.nonce, this.key, rank);
  }

  /**
   * Ranks that say in the session's directory that they have given this save up.
   * @throws {SnapshardError} `ERR_SNAPSHARD_SESSION_OVER` if that is gone
   */
  async failedRanks(): Promise<number[]> {
    const names = await inSession(this.#store, this.#store.list(sessionDirectory(this.session)));
    return names.flatMap((name) => {
      const parsed = parseFailureName(name);
      return parsed?.step === this.key.step && parsed.attempt === this.key.attempt ? [parsed.rank] : [];
    });
  }

  /** Tells the other ranks: by rename, so that whoever sees it sees all of it. */
  async tell(failure: Failure): Promise<void> {
    const directory = sessionDirectory(this.session);
    const unfinished = `${directory}/${newNonce()}.tmp`;
    await this.#store.writeFiles([{ path: unfinished, contents: encodeFailure(failure) }]);
    await renameOwn(this.#store, unfinished, `${directory}/${failureName(this.key, this.session.rank)}`);
  }

  /** What a rank told; `undefined` if it has told nothing. */
  async told(rank: number): Promise<Failure | undefined> {
    const path = `${sessionDirectory(this.session)}/${failureName(this.key, rank)}`;
    try {
      return decodeFailure(await this.#store.readFile(path, recordLimitBytes), rank);
    } catch {
      return undefined;
    }
  }

  /** What a rank that is known to have given up told, or that it did. */
  async explained(rank: number): Promise<Failure> {
    return (await this.told(rank)) ?? unexplained(rank);
  }

  /** The ranks that took the directory away, from a look at the root. */
  takenBy(names: readonly string[]): number[] {
    return names.flatMap((name) => parseDeadSave(this.session.nonce, this.key, name) ?? []);
  }
}
