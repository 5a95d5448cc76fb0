import { binding, type StagingHandle, type StagingInfo } from '../binding.js';
import { SnapshardError } from '../errors.js';
import { requireRoot } from '../store/arguments.js';
import { toSnapshardError } from '../store/native_error.js';
import { NativeStore } from '../store/native_store.js';
import { newNonce } from '../store/nonce.js';
import { sweepLeftovers } from '../store/sweep.js';
import { normalizeTensors } from '../tensor/normalize.js';
import { Attempt, type SaveJob, type WriterResources } from './attempt.js';
import { allocateLease, leaseOf, type Lease } from './lease.js';
import { Outcome } from './outcome.js';
import { PlanCache } from './plan_cache.js';
import { ProgressFeed } from './progress.js';
import { checkRequest, checkSaveOptions, type SaveOptions, type SaveRequest } from './request.js';
import { Save } from './save.js';
import { Transfer } from './transfer.js';
import { UnheardFailures } from './unheard.js';
import {
  checkCloseOptions,
  resolveWriterOptions,
  type CloseOptions,
  type ResolvedWriterOptions,
  type WriterOptions,
} from './writer_options.js';

/** Saves checkpoints below one directory, in the order asked for, through one pool of bounded memory. */
export class CheckpointWriter {
  readonly #resources: WriterResources;
  readonly #plans: PlanCache;
  readonly #unheard: UnheardFailures;
  readonly #nonce = newNonce();
  readonly #attempts = new Set<Attempt>();
  /** Resolves when every save so far has settled. */
  #tail: Promise<void> = Promise.resolve();
  /** Why nothing more is taken on; empty while it is. */
  #refusal = '';
  #dead = false;
  #abortReason: SnapshardError | undefined;
  #closing: Promise<void> | undefined;

  private constructor(resources: WriterResources, shardBytes: number) {
    this.#resources = resources;
    this.#plans = new PlanCache({ shardBytes });
    this.#unheard = new UnheardFailures(resources.store.root);
  }

  /**
   * Opens a directory, which must exist, takes its staging memory, and removes what died savers left there.
   * @throws {SnapshardError} `INVALID_ARGUMENT`; `NOT_FOUND`, `NOT_A_DIRECTORY` (the root); `NO_MEMORY` (the pool);
   *   `IO_URING_UNAVAILABLE`
   */
  static async open(root: string, options: WriterOptions = {}): Promise<CheckpointWriter> {
    requireRoot(root);
    const resolved = resolveWriterOptions(options);
    const store = await NativeStore.open(root);
    try {
      const { handle, engineReason } = await createStaging(resolved);
      await sweepLeftovers(store);
      const { deadlineMs, shardBytes } = resolved;
      return new CheckpointWriter({ store, staging: handle, engineReason, deadlineMs }, shardBytes);
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** Absolute path of the directory. */
  get root(): string {
    return this.#resources.store.root;
  }

  /**
   * Saves a checkpoint. Staging starts at once; sources must stay as they are until `staged`.
   * @throws {SnapshardError} at the call, for whatever is wrong with the request; what fails later rejects
   */
  save(request: SaveRequest, options?: SaveOptions): Save {
    const called_ms = performance.now();
    this.#requireOpen();
    const checked = checkRequest(request);
    const signal = checkSaveOptions(options);
    const { specs, sources } = normalizeTensors(request.tensors, leaseOf, this.#plans.lastSpecs);
    const plan = this.#plans.planFor(specs);
    if (signal?.aborted) return this.#abortedSave(checked.step, plan.bytes, signal.reason);
    const { staging, store } = this.#resources;
    const transfer = new Transfer(staging, plan, sources, checked.inPlace, store.root);
    const job = { request: checked, plan, time: new Date(), writer: this.#nonce, called_ms };
    return this.#follow(job, transfer, signal);
  }

  /**
   * Memory for tensors that saves read with no detour; it outlives the writer.
   * @throws {SnapshardError} `INVALID_ARGUMENT`, also for more than one `ArrayBuffer` holds; `NO_MEMORY`
   */
  allocate(bytes: number): Lease {
    this.#requireOpen();
    return allocateLease(bytes);
  }

  /**
   * Waits for the saves under way, or aborts them, and gives memory and descriptors back. Calling it again waits for
   * the same end. Rejects with the failure of a save that nobody had taken up (several: an `AggregateError`).
   */
  close(options?: CloseOptions): Promise<void> {
    const { abort } = checkCloseOptions(options);
    this.#refusal ||= 'The writer is closed: open another.';
    if (abort) this.#abortAll();
    this.#closing ??= this.#finish();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What it makes lives as long as the caller's `Save`, and must not hold the sources. */
  #follow(job: SaveJob, transfer: Transfer, signal: AbortSignal | undefined): Save {
    const turn = this.#tail;
    const onDead = (): void => {
      this.#die();
    };
    const attempt = new Attempt({ job, transfer, resources: this.#resources, signal, turn, onDead });
    this.#attempts.add(attempt);
    void attempt.ended.then(() => this.#attempts.delete(attempt));
    this.#tail = this.#heardAfter(Promise.all([turn, attempt.settled]), job.request.step, attempt.outcome);
    return new Save(attempt.outcome, attempt.feed);
  }

  #abortedSave(step: number, totalBytes: number, reason: unknown): Save {
    const outcome = new Outcome();
    const feed = new ProgressFeed(totalBytes, { progress: () => undefined });
    outcome.fail(reason);
    feed.enter('failed');
    this.#tail = this.#heardAfter(this.#tail, step, outcome);
    return new Save(outcome, feed);
  }

  /** Once a save has settled, looks whether its failure was taken up; that `close` aborted it is no news to anybody. */
  async #heardAfter(settled: Promise<unknown>, step: number, outcome: Outcome): Promise<void> {
    await settled;
    if (this.#abortReason === undefined || outcome.failure !== this.#abortReason) this.#unheard.add(step, outcome);
  }

  #abortAll(): void {
    const message = 'The writer was closed with { abort: true } before the save had ended.';
    this.#abortReason ??= new SnapshardError('ERR_SNAPSHARD_CLOSED', message);
    for (const attempt of this.#attempts) attempt.abort(this.#abortReason);
  }

  /** A device that answers no more: what waits for it is refused, and nobody waits for it to be closed. */
  #die(): void {
    this.#dead = true;
    this.#refusal ||= 'The device did not answer by the deadline of an earlier save: open another writer.';
    const error = new SnapshardError('ERR_SNAPSHARD_CLOSED', this.#refusal);
    for (const attempt of this.#attempts) attempt.abort(error);
  }

  async #finish(): Promise<void> {
    await this.#tail;
    const released = this.#release();
    if (this.#dead) released.catch(() => undefined);
    else await released;
    this.#unheard.throwIfAny();
  }

  /** After the last save has let go of them. */
  async #release(): Promise<void> {
    await Promise.all([...this.#attempts].map((attempt) => attempt.ended));
    await closeStaging(this.#resources.staging);
    await this.#resources.store.close();
  }

  #requireOpen(): void {
    if (this.#refusal !== '') throw new SnapshardError('ERR_SNAPSHARD_CLOSED', this.#refusal);
  }
}

async function createStaging(options: ResolvedWriterOptions): Promise<StagingInfo> {
  const { stagingBytes, blockBytes, queueDepth, threads, engine, direct } = options;
  try {
    return await binding.createStaging({ stagingBytes, blockBytes, queueDepth, threads, engine, direct });
  } catch (error) {
    throw toSnapshardError(error, { action: `set up staging with ${stagingBytes} bytes` });
  }
}

async function closeStaging(staging: StagingHandle): Promise<void> {
  try {
    await binding.closeStaging(staging);
  } catch (error) {
    throw toSnapshardError(error, { action: 'close staging' });
  }
}
