import { failureName, parseFailureName, rosterName, sessionDirectoryName, type SaveKey } from '../layout/names.js';
import type { Interruption, SaveFacts, SaveProtocol } from '../store/protocol.js';
import { discard, retire } from '../store/retire.js';
import { Backoff } from './backoff.js';
import type { Clock } from './clock.js';
import { describeFailure } from './failure.js';
import { Follower } from './follower.js';
import { tellFailure } from './give_up.js';
import { leadSession } from './lead_session.js';
import { Leader } from './leader.js';
import { joinSession } from './join_session.js';
import { SaveRecords } from './save_records.js';
import { sessionDirectory, type RankIdentity, type Session } from './session.js';

/** Calls that are remembered: no rank is ever so many saves behind. */
const callsMax = 1024;
/** Of the deadline, the part that is kept for giving up, and the most of it. */
const marginShare = 0.1;
const marginMax_ms = 5000;

export interface ParticipantOptions {
  readonly clock: Clock;
  /** Of each save, and of the meeting. */
  readonly deadlineMs: number;
}

/** One rank in the session of its run: counts its saves, as all ranks do, so that they agree on which is which. */
export class Participant {
  readonly #session: Session;
  readonly #options: ParticipantOptions;
  /** The saves asked for, by step and attempt: the greater, the later. */
  readonly #orders = new Map<string, number>();
  readonly #attempts = new Map<number, number>();
  #calls = 0;
  #lastPublished = false;
  #tidied: Promise<void> = Promise.resolve();

  private constructor(session: Session, options: ParticipantOptions) {
    this.#session = session;
    this.#options = options;
  }

  /** Meets the other ranks of the run. Throws what {@link leadSession} and {@link joinSession} throw. */
  static async meet(identity: RankIdentity, options: ParticipantOptions): Promise<Participant> {
    const { clock, deadlineMs } = options;
    const patience = { clock, deadline_ms: clock.now() + deadlineMs, backoff: new Backoff(clock, identity.worldSize) };
    const enter = identity.rank === 0 ? leadSession : joinSession;
    return new Participant(await enter(identity, patience), options);
  }

  /** Counts a call of `save`, also one that fails. */
  call(step: number): SaveKey {
    const attempt = (this.#attempts.get(step) ?? 0) + 1;
    const key = { step, attempt };
    this.#calls += 1;
    this.#attempts.delete(step);
    this.#attempts.set(step, attempt);
    this.#orders.set(nameOf(key), this.#calls);
    forgetOldest(this.#attempts);
    forgetOldest(this.#orders);
    return key;
  }

  protocolFor(key: SaveKey, facts: SaveFacts, interruption: Interruption): SaveProtocol {
    const { clock, deadlineMs } = this.#options;
    const parts = {
      session: this.#session,
      key,
      interruption,
      backoff: new Backoff(clock, this.#session.worldSize),
      margin_ms: Math.min(marginMax_ms, deadlineMs * marginShare),
    };
    const onEnded = (published: boolean): void => {
      this.#lastPublished = published;
      if (published) this.#tidied = this.#forgetFailures(key).catch(() => undefined);
    };
    if (this.#session.rank === 0) return new Leader(parts, facts, onEnded);
    return new Follower(parts, (other) => this.#orders.get(nameOf(other)));
  }

  /** Tells the other ranks of a call that failed before it began. Never rejects. */
  async refuse(key: SaveKey, reason: unknown): Promise<void> {
    const { rank } = this.#session;
    await tellFailure(new SaveRecords(this.#session, key), describeFailure(rank, reason));
    this.#lastPublished = false;
  }

  /** What ranks said of earlier saves, all have heard when one is published. */
  async #forgetFailures(key: SaveKey): Promise<void> {
    const directory = sessionDirectory(this.#session);
    const names = await this.#session.store.list(directory);
    for (const name of names) {
      const failed = parseFailureName(name);
      if (failed === undefined || !this.#isBefore(failed, key)) continue;
      await this.#session.store.removeTree(`${directory}/${failureName(failed, failed.rank)}`);
    }
  }

  /**
   * Rank 0 takes the session away if all ranks are known to be through with it. Else it is left to a later sweep: one
   * may still want to know who came, or why a save failed.
   */
  async leave(): Promise<void> {
    const { store, run, nonce, rank } = this.#session;
    if (rank !== 0 || !this.#lastPublished) return;
    await this.#tidied;
    await discard(store, await retire(store, [sessionDirectoryName(run, nonce)]));
    await store.removeTree(rosterName(run, nonce));
  }

  #isBefore(key: SaveKey, other: SaveKey): boolean {
    const order = this.#orders.get(nameOf(key));
    return order !== undefined && order < (this.#orders.get(nameOf(other)) ?? 0);
  }
}

function nameOf({ step, attempt }: SaveKey): string {
  return `${step}.${attempt}`;
}

function forgetOldest<Key>(map: Map<Key, number>): void {
  if (map.size <= callsMax) return;
  for (const key of map.keys()) {
    map.delete(key);
    return;
  }
}
