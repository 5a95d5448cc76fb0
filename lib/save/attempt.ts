import type { StagingHandle, TransferResult } from '../binding.js';
import { SnapshardError } from '../errors.js';
import type { NativeStore } from '../store/native_store.js';
import type { Interruption, Publication, SaveProtocol } from '../store/protocol.js';
import { discard, retire } from '../store/retire.js';
import { Deadline } from './deadline.js';
import { quietDeferred, type Deferred } from './deferred.js';
import { tellPublished } from './diagnostics.js';
import { Interrupt } from './interrupt.js';
import { composeRankFiles, prepareManifests, type ManifestParts } from './manifests.js';
import { Outcome } from './outcome.js';
import { ProgressFeed } from './progress.js';
import { describePublished, type Published } from './published.js';
import type { Transfer } from './transfer.js';

/** What a writer lends to its saves. */
export interface WriterResources {
  readonly store: NativeStore;
  readonly staging: StagingHandle;
  readonly engineReason: string;
  readonly deadlineMs: number;
}

/** A save whose arguments are checked and whose layout is known. */
export interface SaveJob extends ManifestParts {
  /** `performance.now()` when `save` was called. */
  readonly called_ms: number;
}

export interface AttemptParts {
  readonly job: SaveJob;
  /** Its bytes, which are being staged. */
  readonly transfer: Transfer;
  readonly resources: WriterResources;
  readonly signal: AbortSignal | undefined;
  /** Resolves when the writer's saves before this one have settled. */
  readonly turn: Promise<void>;
  readonly protocolFor: (interruption: Interruption) => SaveProtocol;
  /** Called when the device does not answer even after the deadline. */
  readonly onDead: () => void;
}

/**
 * One save from its first byte to its final name. Staging starts at once; everything in the store waits for its turn.
 * Whatever fails, what was begun is taken back before {@link Attempt.ended} resolves.
 */
export class Attempt {
  readonly outcome = new Outcome();
  readonly feed: ProgressFeed;
  /** Never rejects. Resolves when there is nothing left to do; never, where the device never answers. */
  readonly ended: Promise<void>;
  /** Never rejects. Resolves when it has ended, or the device is given up for dead. */
  readonly settled: Promise<void>;
  readonly #job: SaveJob;
  readonly #resources: WriterResources;
  readonly #transfer: Transfer;
  readonly #protocol: SaveProtocol;
  readonly #interrupt: Interrupt;
  readonly #deadline: Deadline;
  #result: TransferResult | undefined;
  #published: Published | undefined;

  constructor({ job, transfer, resources, signal, turn, protocolFor, onDead }: AttemptParts) {
    this.#job = job;
    this.#resources = resources;
    this.#transfer = transfer;
    this.feed = new ProgressFeed(job.plan.bytes, transfer);
    this.#interrupt = new Interrupt(signal, () => {
      this.#transfer.abort();
    });
    this.#protocol = protocolFor(this.#interrupt);
    const dead: Deferred<void> = quietDeferred();
    const left_ms = resources.deadlineMs - (performance.now() - job.called_ms);
    this.#deadline = new Deadline(left_ms, this.#protocol.margin_ms, {
      onNear: () => {
        this.#interrupt.raise(this.#late(''));
      },
      onPassed: () => {
        this.#passDeadline();
      },
      onDead: () => {
        onDead();
        dead.resolve();
      },
    });
    this.ended = this.#run(turn);
    this.settled = Promise.race([this.ended, dead.promise]);
    void this.#watchStaging();
  }

  /** Aborts it as its signal would. */
  abort(reason: unknown): void {
    this.#interrupt.abort(reason);
  }

  async #watchStaging(): Promise<void> {
    try {
      await this.#transfer.staged;
      this.outcome.stage();
      if (this.feed.phase === 'staging') this.feed.enter('writing');
    } catch (error) {
      this.#interrupt.raise(error);
    }
  }

  async #run(turn: Promise<void>): Promise<void> {
    try {
      await Promise.race([turn, this.#transfer.durable]);
      this.#interrupt.check();
      this.#result = await this.#write();
      await this.#finish(await this.#publish(this.#result));
    } catch (error) {
      this.#interrupt.raise(error);
      await this.#takeBack();
    } finally {
      this.#deadline.clear();
      this.#interrupt.ignoreSignal();
      this.feed.enter(this.outcome.failed ? 'failed' : 'published');
    }
  }

  /** Who makes the directory asks for the files right behind it: in a busy event loop, a turn can be a training step. */
  async #write(): Promise<TransferResult> {
    const prepared = this.#protocol.prepare();
    if (this.#protocol.leads) {
      this.#open();
      await prepared;
    } else {
      await prepared;
      this.#open();
    }
    prepareManifests(this.#job);
    return await this.#transfer.durable;
  }

  #open(): void {
    const { path } = this.#protocol;
    this.#transfer.open(this.#resources.store, this.#shards.map((shard) => `${path}/${shard}`));
  }

  get #shards(): string[] {
    return this.#job.plan.files.map((file) => file.path);
  }

  /** From here on no signal stops it; its deadline does, up to the rename. */
  async #publish(result: TransferResult): Promise<Publication> {
    const files = await composeRankFiles(this.#job, this.#protocol.nonce, result);
    this.#interrupt.check();
    this.#interrupt.ignoreSignal();
    this.feed.enter('publishing');
    return await this.#protocol.publish(files);
  }

  /** Readers no longer see what it replaces when its caller learns of it; the space comes back after that. */
  async #finish(publication: Publication): Promise<void> {
    const { store, engineReason } = this.#resources;
    const { plan, called_ms, request } = this.#job;
    const published = describePublished({
      path: `${store.root}/${publication.name}`,
      digest: publication.digest,
      engineReason,
      step: request.step,
      plan,
      result: this.#result!,
      called_ms,
      started_ms: this.#transfer.started_ms,
    });
    this.#published = published;
    const retired = await retire(store, publication.superseded).catch(() => []);
    this.outcome.publish(published);
    this.feed.enter('published');
    tellPublished({ root: store.root, published });
    await discard(store, retired).catch(() => undefined);
  }

  /** What others did may have decided it either way. */
  async #takeBack(): Promise<void> {
    await this.#transfer.stop();
    const ending = await this.#protocol.giveUp(this.#interrupt.reason, this.#shards);
    if ('publication' in ending) await this.#finish(ending.publication);
    else this.outcome.fail(ending.failure);
  }

  /** The caller learns at once. What is published by then has succeeded, whatever is left to tidy up. */
  #passDeadline(): void {
    if (this.#published !== undefined) {
      this.outcome.publish(this.#published);
      return;
    }
    const publishing = this.feed.phase === 'publishing';
    const error = this.#late(publishing ? ' It may yet be published: look before you save the step again.' : '');
    this.#interrupt.raise(error);
    this.outcome.fail(error);
    this.feed.enter('failed');
  }

  #late(advice: string): SnapshardError {
    const { step } = this.#job.request;
    const message = `Step ${step} was not saved by its deadline (it was ${this.feed.phase}).${advice}`;
    return new SnapshardError('ERR_SNAPSHARD_DEADLINE', message);
  }
}
