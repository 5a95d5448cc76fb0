import type { StagingHandle, TransferResult } from '../binding.js';
import { SnapshardError } from '../errors.js';
import type { EncodedManifest } from '../layout/manifest.js';
import type { NativeStore } from '../store/native_store.js';
import { giveUp, preparePartial, publish, type PartialCheckpoint, type Publication } from '../store/publish.js';
import { discard, retire } from '../store/retire.js';
import type { StoreFile } from '../store/store.js';
import { Deadline } from './deadline.js';
import { quietDeferred, type Deferred } from './deferred.js';
import { tellPublished } from './diagnostics.js';
import { Interrupt } from './interrupt.js';
import { composeManifests, prepareManifests, type ManifestParts } from './manifests.js';
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
  readonly #started_ms = performance.now();
  readonly #interrupt: Interrupt;
  readonly #deadline: Deadline;
  #published: Published | undefined;

  constructor({ job, transfer, resources, signal, turn, onDead }: AttemptParts) {
    this.#job = job;
    this.#resources = resources;
    this.#transfer = transfer;
    this.feed = new ProgressFeed(job.plan.bytes, transfer);
    this.#interrupt = new Interrupt(signal, () => {
      this.#transfer.abort();
    });
    const dead: Deferred<void> = quietDeferred();
    this.#deadline = new Deadline(
      resources.deadlineMs - (performance.now() - job.called_ms),
      () => {
        this.#passDeadline();
      },
      () => {
        onDead();
        dead.resolve();
      },
    );
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
    const { store } = this.#resources;
    const { step, overwrite } = this.#job.request;
    let partial: PartialCheckpoint | undefined;
    try {
      await Promise.race([turn, this.#transfer.durable]);
      this.#interrupt.check();
      const prepared = preparePartial(store, step, overwrite);
      partial = prepared.partial;
      const result = await this.#write(partial, prepared.made);
      const { files, manifest } = await composeManifests(this.#job, partial.nonce, result);
      const publication = await this.#handIn(partial, files, manifest.bytes);
      await this.#finish(publication, manifest, result);
    } catch (error) {
      this.#interrupt.raise(error);
      await this.#takeBack(partial);
      this.outcome.fail(this.#interrupt.reason);
    } finally {
      this.#deadline.clear();
      this.#interrupt.ignoreSignal();
      this.feed.enter(this.outcome.failed ? 'failed' : 'published');
    }
  }

  /** The files are asked for right behind their directory: in a busy event loop, a turn can be a training step. */
  async #write(partial: PartialCheckpoint, made: Promise<void>): Promise<TransferResult> {
    const paths = this.#job.plan.files.map((file) => `${partial.path}/${file.path}`);
    this.#transfer.open(this.#resources.store, paths);
    await made;
    prepareManifests(this.#job);
    return await this.#transfer.durable;
  }

  /** From here on no signal stops it; its deadline does, up to the rename. */
  async #handIn(
    partial: PartialCheckpoint,
    files: readonly StoreFile[],
    manifest: Uint8Array,
  ): Promise<Publication> {
    this.#interrupt.check();
    this.#interrupt.ignoreSignal();
    this.feed.enter('publishing');
    const { overwrite } = this.#job.request;
    const check = (): void => {
      this.#interrupt.check();
    };
    return await publish(this.#resources.store, partial, { files, manifest, overwrite, check });
  }

  /** Readers no longer see what it replaces when its caller learns of it; the space comes back after that. */
  async #finish(publication: Publication, manifest: EncodedManifest, result: TransferResult): Promise<void> {
    const { store, engineReason } = this.#resources;
    const { plan, called_ms, request } = this.#job;
    const published = describePublished({
      path: `${store.root}/${publication.name}`,
      digest: manifest.digest,
      engineReason,
      step: request.step,
      plan,
      result,
      called_ms,
      started_ms: this.#started_ms,
    });
    this.#published = published;
    const retired = await retire(store, publication.superseded).catch(() => []);
    this.outcome.publish(published);
    this.feed.enter('published');
    tellPublished({ root: store.root, published });
    await discard(store, retired).catch(() => undefined);
  }

  async #takeBack(partial: PartialCheckpoint | undefined): Promise<void> {
    await this.#transfer.stop();
    if (partial !== undefined) await giveUp(this.#resources.store, partial);
  }

  /** The caller learns at once. What is published by then has succeeded, whatever is left to tidy up. */
  #passDeadline(): void {
    if (this.#published !== undefined) {
      this.outcome.publish(this.#published);
      return;
    }
    const { step } = this.#job.request;
    const late = this.feed.phase === 'publishing' ? ' It may yet be published: look before you save the step again.' : '';
    const message = `Step ${step} was not saved by its deadline (it was ${this.feed.phase}).${late}`;
    const error = new SnapshardError('ERR_SNAPSHARD_DEADLINE', message);
    this.#interrupt.raise(error);
    this.outcome.fail(error);
    this.feed.enter('failed');
  }
}
