import { binding } from '../binding.js';
import { SnapshardError } from '../errors.js';
import { encodeManifest } from '../layout/manifest.js';
import { manifestName, parseRankManifestName, rankManifestName, ranksDirectory } from '../layout/names.js';
import { ranksText } from '../layout/ranks_text.js';
import { hasErrno } from '../store/native_error.js';
import type { Ending, Publication, RankFiles, SaveFacts, SaveProtocol } from '../store/protocol.js';
import { preparePartial, publish } from '../store/publish.js';
import type { Store } from '../store/store.js';
import type { Backoff } from './backoff.js';
import { describeFailure, joinFailures, toError, type Failure } from './failure.js';
import { takeAway, tellFailure } from './give_up.js';
import { completePart, handIn } from './hand_in.js';
import { isDeadline, withRanks } from './late.js';
import { RankCheck, type CheckedRanks } from './rank_check.js';
import { SaveRecords } from './save_records.js';
import { requireCurrent } from './session.js';
import type { SharedSaveParts } from './shared_save.js';

/** More than the manifest of a rank with a million tensors takes. */
const rankManifestLimitBytes = 2 ** 30;

/** Rank 0's part of a save: it makes the directory, checks what all ranks hand in, and publishes. */
export class Leader implements SaveProtocol {
  readonly leads = true;
  readonly margin_ms: number;
  readonly #parts: SharedSaveParts;
  readonly #facts: SaveFacts;
  readonly #records: SaveRecords;
  readonly #store: Store;
  readonly #backoff: Backoff;
  readonly #onEnded: (published: boolean) => void;
  readonly #handedIn = new Set<number>();
  #begun = false;
  #collected: Promise<CheckedRanks> | undefined;

  /** @param onEnded told whether it was published */
  constructor(parts: SharedSaveParts, facts: SaveFacts, onEnded: (published: boolean) => void) {
    this.#onEnded = onEnded;
    this.margin_ms = parts.margin_ms;
    this.#parts = parts;
    this.#facts = facts;
    this.#records = new SaveRecords(parts.session, parts.key);
    this.#store = parts.session.store;
    this.#backoff = parts.backoff;
  }

  get path(): string {
    return this.#records.path;
  }

  get nonce(): string {
    return this.#records.nonce;
  }

  async prepare(): Promise<void> {
    this.#begun = true;
    const { step, overwrite } = this.#facts;
    await preparePartial(this.#store, step, overwrite, this.nonce).made;
    this.#backoff.restart();
    this.#collected = this.#collect();
    this.#collected.catch((error: unknown) => {
      this.#parts.interruption.raise(error);
    });
  }

  async publish(files: RankFiles): Promise<Publication> {
    const { rank } = this.#parts.session;
    await completePart(this.#store, this.path, rank, files);
    await handIn(this.#store, this.path, rank);
    this.#backoff.restart();
    const { ranks, sideFiles } = (await this.#collected)!;
    const { step, time, metadata, overwrite } = this.#facts;
    const { worldSize } = this.#parts.session;
    const content = { step, time, metadata, worldSize, save: this.nonce, ranks, files: sideFiles, indexes: [] };
    const { bytes, digest } = encodeManifest(content, (text) => binding.digest(text));
    const partial = { step, nonce: this.nonce, path: this.path };
    const check = (): void => {
      this.#parts.interruption.check();
    };
    const handedIn = { files: [{ path: manifestName, contents: bytes }], manifest: bytes, overwrite, check };
    const { name, superseded } = await publish(this.#store, partial, handedIn);
    this.#onEnded(true);
    return { name, digest, superseded };
  }

  async giveUp(reason: unknown): Promise<Ending> {
    this.#onEnded(false);
    if (reason instanceof SnapshardError && reason.code === 'ERR_SNAPSHARD_DURABILITY_UNKNOWN') return { failure: reason };
    const failure = await this.#explain(reason);
    const record = describeFailure(this.#parts.session.rank, failure);
    const told = await tellFailure(this.#records, record);
    if (this.#begun) {
      const taken = await takeAway(this.#records);
      // A Btrfs at its quota refuses to rename, and not to delete; and nobody else publishes.
      if (!taken) await this.#store.removeTree(this.path).catch(() => undefined);
      await this.#removeDead(told ? undefined : record).catch(() => undefined);
    }
    return { failure };
  }

  /** What others did to the directory shows as a file that is not there. */
  async #explain(reason: unknown): Promise<unknown> {
    if (isDeadline(reason)) return this.#late(reason);
    const gone =
      hasErrno(reason, 'ENOENT', 'ESTALE') ||
      (reason instanceof SnapshardError && reason.code === 'ERR_SNAPSHARD_GIVEN_UP');
    if (!this.#begun || !gone) return reason;
    return await this.#takenAway().catch((error: unknown) => error);
  }

  /** Takes in what the ranks hand in, as it comes, until all have. */
  async #collect(): Promise<CheckedRanks> {
    const { session, interruption } = this.#parts;
    const check = new RankCheck(this.#records, (rank) => this.#read(rank));
    for (;;) {
      interruption.check();
      const before = this.#handedIn.size;
      await this.#look();
      while (check.next < session.worldSize && this.#handedIn.has(check.next)) {
        await check.take(this.#handedIn.has(check.next + 1));
        interruption.check();
      }
      if (check.next === session.worldSize) return check.finish();
      if (this.#handedIn.size > before) this.#backoff.restart();
      await this.#backoff.pause(interruption.raised);
    }
  }

  async #look(): Promise<void> {
    const names = await this.#listHandedIn();
    const failed = await this.#records.failedRanks();
    if (failed.length > 0) throw await this.#failureOf(failed);
    for (const name of names) {
      const rank = parseRankManifestName(name);
      if (rank !== undefined) this.#handedIn.add(rank);
    }
  }

  async #listHandedIn(): Promise<string[]> {
    try {
      return await this.#store.list(`${this.path}/${ranksDirectory}`);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'ESTALE')) throw error;
      // A server that took a handle back, and not the directory: the next look tells.
      if (hasErrno(error, 'ESTALE') && (await this.#store.listRoot()).includes(this.path)) return [];
      throw await this.#takenAway();
    }
  }

  /** Who took the directory away from under us, and why. */
  async #takenAway(): Promise<SnapshardError> {
    const names = await this.#store.listRoot();
    const failed = [...this.#records.takenBy(names), ...(await this.#records.failedRanks())];
    if (failed.length > 0) return await this.#failureOf([...new Set(failed)]);
    requireCurrent(this.#parts.session, names);
    const message = `Somebody took ${this.path} away: nothing but this run's ranks may touch it.`;
    return new SnapshardError('ERR_SNAPSHARD_GIVEN_UP', message, { path: `${this.#store.root}/${this.path}` });
  }

  async #failureOf(ranks: readonly number[]): Promise<SnapshardError> {
    return toError(joinFailures(await Promise.all(ranks.map((rank) => this.#records.explained(rank)))));
  }

  #read(rank: number): Promise<Uint8Array> {
    return this.#store.readFile(`${this.path}/${rankManifestName(rank)}`, rankManifestLimitBytes);
  }

  #late(reason: SnapshardError): SnapshardError {
    const { worldSize } = this.#parts.session;
    const missing = Array.from({ length: worldSize }, (_, rank) => rank).filter((rank) => !this.#handedIn.has(rank));
    if (missing.length === 0) return reason;
    return withRanks(reason, `${ranksText(missing)} had handed in nothing`, missing);
  }

  /**
   * The name of what another rank took away tells who it was. On a full disk, it goes only when its contents have made
   * room for saying so.
   */
  async #removeDead(untold: Failure | undefined): Promise<void> {
    const names = await this.#store.listRoot();
    const takers = this.#records.takenBy(names);
    let told = untold === undefined;
    if (untold !== undefined) {
      for (const rank of takers) await this.#empty(this.#records.deadNameOf(rank));
      told = await tellFailure(this.#records, untold);
    }
    for (const rank of takers) {
      if (told || rank === this.#parts.session.rank) await this.#store.removeTree(this.#records.deadNameOf(rank));
    }
  }

  async #empty(directory: string): Promise<void> {
    for (const name of await this.#store.list(directory)) await this.#store.removeTree(`${directory}/${name}`);
  }
}
