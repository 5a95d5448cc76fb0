import { SnapshardError } from '../errors.js';
import { parseManifestTail } from '../layout/manifest.js';
import {
  manifestName,
  parseRankManifestName,
  parseSessionPartial,
  parseStepDirectory,
  ranksDirectory,
  type SaveKey,
} from '../layout/names.js';
import { ranksText } from '../layout/ranks_text.js';
import { hasErrno } from '../store/native_error.js';
import type { Ending, Publication, RankFiles, SaveProtocol } from '../store/protocol.js';
import { syncRoot } from '../store/publish.js';
import type { Store } from '../store/store.js';
import type { Backoff } from './backoff.js';
import { describeFailure, joinFailures, toError, type Failure } from './failure.js';
import { takeAway, tellFailure, tellOnFullDisk } from './give_up.js';
import { completePart, handIn } from './hand_in.js';
import { isDeadline, withRanks } from './late.js';
import { SaveRecords } from './save_records.js';
import { isComplete, requireCurrent, type Session } from './session.js';
import type { SharedSaveParts } from './shared_save.js';

/** More than a manifest ends in. */
const tailBytes = 256;

/** Tells when this rank asked for a save: the greater, the later; `undefined` if it never has. */
export type OrderOf = (key: SaveKey) => number | undefined;

/** Any other rank's part of a save: it writes into the directory that rank 0 makes, and learns what became of it. */
export class Follower implements SaveProtocol {
  readonly leads = false;
  readonly margin_ms: number;
  readonly #parts: SharedSaveParts;
  readonly #session: Session;
  readonly #orderOf: OrderOf;
  readonly #records: SaveRecords;
  readonly #store: Store;
  readonly #backoff: Backoff;
  /** Names of other saves that rank 0 was seen at, and has been told that this rank is not; with their steps. */
  readonly #refused = new Map<string, number>();
  #found = false;
  /** It is, or it may be. */
  #handedIn = false;
  #decided: Promise<Publication> | undefined;
  /** What others said, which need not be told them again. */
  #heard: unknown;

  constructor(parts: SharedSaveParts, orderOf: OrderOf) {
    this.margin_ms = parts.margin_ms;
    this.#parts = parts;
    this.#session = parts.session;
    this.#orderOf = orderOf;
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
    this.#backoff.restart();
    await this.#awaitDirectory();
    this.#found = true;
    this.#backoff.restart();
    this.#decided = this.#watch();
    this.#decided.catch((error: unknown) => {
      this.#parts.interruption.raise(error);
    });
  }

  async publish(files: RankFiles): Promise<Publication> {
    await completePart(this.#store, this.path, this.#session.rank, files);
    this.#handedIn = true;
    await handIn(this.#store, this.path, this.#session.rank);
    this.#backoff.restart();
    const publication = (await this.#decided)!;
    await syncRoot(this.#store, publication.name);
    return publication;
  }

  async giveUp(reason: unknown, shards: readonly string[]): Promise<Ending> {
    if (reason === this.#heard) return { failure: reason };
    const failure = isDeadline(reason) ? await this.#late(reason) : reason;
    // After the look at who was late: in a directory that somebody took away meanwhile, all seem to be.
    const ended = this.#found ? await this.#ending() : undefined;
    if (ended !== undefined) return ended;
    const told = await tellFailure(this.#records, describeFailure(this.#session.rank, failure));
    // Before it is handed in, nobody can publish without it.
    if (!this.#found || (told && !this.#handedIn)) return { failure };
    return await this.#takeAway(failure, told, shards);
  }

  /** Whichever rename is first decides, this one or that of rank 0: until then, no shard may be missing. */
  async #takeAway(failure: unknown, told: boolean, shards: readonly string[]): Promise<Ending> {
    if (!(await takeAway(this.#records))) return (await this.#ending()) ?? { failure };
    const { deadName } = this.#records;
    const record = describeFailure(this.#session.rank, failure);
    const heard = told || (await tellOnFullDisk(this.#records, record, deadName, shards));
    // Where it could not be told, the name tells who it was.
    if (heard) await this.#store.removeTree(deadName).catch(() => undefined);
    return { failure };
  }

  async #awaitDirectory(): Promise<void> {
    for (;;) {
      this.#parts.interruption.check();
      const names = await this.#store.listRoot();
      if (names.includes(this.path) && (await isComplete(this.#store, this.path))) return;
      await this.#hearing(async () => {
        requireCurrent(this.#session, names);
        const failed = await this.#records.failedRanks();
        if (failed.length > 0) throw await this.#failureOf(failed);
      });
      await this.#compare(names);
      await this.#backoff.pause(this.#parts.interruption.raised);
    }
  }

  async #hearing(listen: () => Promise<void>): Promise<void> {
    try {
      await listen();
    } catch (error) {
      this.#heard = error;
      throw error;
    }
  }

  /**
   * Rank 0 may be at another save. If that is a later one, this one is over; if an earlier one, rank 0 is told, and may
   * come to this one next.
   */
  async #compare(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const theirs = parseSessionPartial(name);
      // Its own may be there, and not be complete yet.
      if (theirs?.session !== this.#session.nonce || name === this.path || this.#isPast(theirs)) continue;
      const failure: Failure = {
        code: 'ERR_SNAPSHARD_RANKS_DISAGREE',
        message: `Rank 0 saves ${this.#disagreement(theirs.step)}.`,
        ranks: [0, this.#session.rank],
      };
      if (this.#isAhead(theirs)) throw toError(failure);
      if (this.#refused.has(name)) continue;
      this.#refused.set(name, theirs.step);
      await tellFailure(new SaveRecords(this.#session, theirs), failure);
    }
  }

  #disagreement(step: number): string {
    const own = `rank ${this.#session.rank} saves step ${this.#parts.key.step}`;
    return `step ${step} while ${own}: every rank must save the same steps, as many times`;
  }

  /** One that this rank has been through. */
  #isPast(key: SaveKey): boolean {
    const order = this.#orderOf(key);
    return order !== undefined && order < (this.#orderOf(this.#parts.key) ?? 0);
  }

  #isAhead(key: SaveKey): boolean {
    if (this.#orderOf(key) !== undefined) return true;
    const { step, attempt } = this.#parts.key;
    return key.step > step || (key.step === step && key.attempt > attempt);
  }

  /** Resolves when it is published, rejects when it was given up. */
  async #watch(): Promise<Publication> {
    for (;;) {
      this.#parts.interruption.check();
      const names = await this.#store.listRoot();
      if (names.includes(this.path)) requireCurrent(this.#session, names);
      else {
        const publication = await this.#fate();
        if (publication !== undefined) return publication;
      }
      await this.#backoff.pause(this.#parts.interruption.raised);
    }
  }

  /**
   * What became of a save whose directory is not there; `undefined` if it is there after all. A look at a directory
   * while something in it is renamed may show neither name, so this looks again.
   * @throws {SnapshardError} why it was given up
   */
  async #fate(): Promise<Publication | undefined> {
    const names = await this.#store.listRoot();
    if (names.includes(this.path)) return undefined;
    const published = await this.#findPublished(names);
    if (published !== undefined) return published;
    const takers = this.#records.takenBy(names);
    if (takers.length > 0) throw await this.#failureOf(takers);
    const verdict = await this.#records.told(0);
    if (verdict !== undefined) throw toError(verdict);
    const failed = await this.#records.failedRanks().catch((): number[] => []);
    if (failed.length > 0) throw await this.#failureOf(failed);
    requireCurrent(this.#session, names);
    const message = `Step ${this.#parts.key.step} was given up, and nobody could record why: see the error of rank 0.`;
    throw new SnapshardError('ERR_SNAPSHARD_RANK_FAILED', message, { ranks: [0] });
  }

  async #findPublished(names: readonly string[]): Promise<Publication | undefined> {
    const generations = names
      .map((name) => ({ name, parsed: parseStepDirectory(name) }))
      .filter(({ parsed }) => parsed?.step === this.#parts.key.step)
      .sort((left, right) => (right.parsed?.generation ?? 0) - (left.parsed?.generation ?? 0));
    for (const { name } of generations) {
      const tail = await this.#readTail(`${name}/${manifestName}`);
      const found = tail === undefined ? undefined : parseManifestTail(tail);
      if (found?.save === this.nonce) return { name, digest: found.digest, superseded: [] };
    }
    return undefined;
  }

  async #readTail(path: string): Promise<Uint8Array | undefined> {
    try {
      return await this.#store.readTail(path, tailBytes);
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ESTALE')) return undefined;
      throw error;
    }
  }

  /** How it has ended by now; `undefined` if it has not. */
  async #ending(): Promise<Ending | undefined> {
    try {
      if ((await this.#store.listRoot()).includes(this.path)) return undefined;
      const publication = await this.#fate();
      if (publication === undefined) return undefined;
      await syncRoot(this.#store, publication.name);
      return { publication };
    } catch (failure) {
      return { failure };
    }
  }

  async #failureOf(ranks: readonly number[]): Promise<SnapshardError> {
    return toError(joinFailures(await Promise.all(ranks.map((rank) => this.#records.explained(rank)))));
  }

  #lastRefused(): string {
    const step = [...this.#refused.values()].at(-1);
    return step === undefined ? '' : `. Rank 0 was seen to save ${this.#disagreement(step)}`;
  }

  async #late(reason: SnapshardError): Promise<SnapshardError> {
    if (!this.#found) return withRanks(reason, `rank 0 had not begun it${this.#lastRefused()}`, [0]);
    if (!this.#handedIn) return reason;
    const names = await this.#store.list(`${this.path}/${ranksDirectory}`).catch(() => undefined);
    if (names === undefined) return reason;
    const here = new Set(names.map(parseRankManifestName));
    const ranks = Array.from({ length: this.#session.worldSize }, (_, rank) => rank);
    const missing = ranks.filter((rank) => !here.has(rank));
    if (missing.length === 0) return withRanks(reason, 'all ranks had handed in, and rank 0 had not published it', [0]);
    return withRanks(reason, `${ranksText(missing)} had handed in nothing`, missing);
  }
}
