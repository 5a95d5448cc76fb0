import { binding, type StagingHandle } from '../binding.js';
import { SnapshardError } from '../errors.js';
import type { SaveKey } from '../layout/names.js';
import { cudaOf } from '../memory/cuda_memory.js';
import { allocateLease, leaseOf, type Lease } from '../memory/lease.js';
import { closeStaging, createStaging } from '../memory/staging.js';
import { systemClock } from '../ranks/clock.js';
import { Participant } from '../ranks/participant.js';
import { requireSharedRoot } from '../ranks/shared_root.js';
import { isStep, requireRoot } from '../store/arguments.js';
import { NativeStore } from '../store/native_store.js';
import { newNonce } from '../store/nonce.js';
import { Solo } from '../store/solo.js';
import { sweepLeftovers } from '../store/sweep.js';
import type { Interruption, SaveProtocol } from '../store/protocol.js';
import type { RankOfWorld } from '../tensor/tensor.js';
import type { ResolvedRank } from '../ranks/environment.js';
import { normalizeTensors } from '../tensor/normalize.js';
import { Attempt, type SaveJob, type WriterResources } from './attempt.js';
import { Outcome } from './outcome.js';
import { PlanCache } from './plan_cache.js';
import { ProgressFeed } from './progress.js';
import { checkRequest, checkSaveOptions, type SaveOptions, type SaveRequest } from './request.js';
import { Save } from './save.js';
import { Transfer } from './transfer.js';
import { UnheardFailures } from './unheard.js';
import {
  checkCloseOptions,
  resolveWithFile,
  type CloseOptions,
  type ResolvedWriterOptions,
  type WriterOptions,
} from './writer_options.js';

interface WriterParts {
  readonly resources: WriterResources;
  readonly options: ResolvedWriterOptions;
  readonly nonce: string;
  readonly participant: Participant | undefined;
}

/** Saves checkpoints below one directory, in the order asked for, through one pool of bounded memory. */
export class CheckpointWriter {
  readonly #resources: WriterResources;
  readonly #plans: PlanCache;
  readonly #unheard: UnheardFailures;
  readonly #nonce: string;
  readonly #place: RankOfWorld;
  /** Where several ranks save together. */
  readonly #participant: Participant | undefined;
  readonly #attempts = new Set<Attempt>();
  /** Resolves when every save so far has settled. */
  #tail: Promise<void> = Promise.resolve();
  /** Why nothing more is taken on; empty while it is. */
  #refusal = '';
  #dead = false;
  #abortReason: SnapshardError | undefined;
  #closing: Promise<void> | undefined;

  private constructor({ resources, options, nonce, participant }: WriterParts) {
    const { shardBytes, place } = options;
    this.#resources = resources;
    this.#nonce = nonce;
    this.#place = place;
    this.#participant = participant;
    this.#plans = new PlanCache({ shardBytes, rank: place.rank, worldSize: place.worldSize });
    this.#unheard = new UnheardFailures(resources.store.root);
  }

  /**
   * Opens a directory, which must exist, takes its staging memory, and removes what died savers left there. Where
   * several ranks save together, it waits for all of them.
   * @throws {SnapshardError} `INVALID_ARGUMENT`; `NOT_FOUND`, `NOT_A_DIRECTORY` (the root); `NO_MEMORY` (the pool);
   *   `IO_URING_UNAVAILABLE`; `CUDA_UNAVAILABLE` (with `cudaDevice`); `NOT_FOUND`, `PERMISSION`, `CORRUPT`,
   *   `UNSUPPORTED_VERSION` (with `optionsFile`). Of several ranks: `DEADLINE` naming those that did not come;
   *   `RANKS_DISAGREE`; `SESSION_OVER`; `NOT_SHARED`
   */
  static async open(root: string, options: WriterOptions = {}): Promise<CheckpointWriter> {
    requireRoot(root);
    const resolved = await resolveWithFile(options);
    const { place, deadlineMs } = resolved;
    await requireSharedRoot(root, place.severalHosts);
    const store = await NativeStore.open(root);
    let staging: StagingHandle | undefined;
    try {
      const { handle, engineReason } = await createStaging(resolved, true);
      staging = handle;
      const nonce = newNonce();
      const participant = place.worldSize > 1 ? await meet(store, place, nonce, deadlineMs) : undefined;
      if (place.rank === 0) await sweepLeftovers(store);
      const resources = { store, staging, engineReason, deadlineMs };
      return new CheckpointWriter({ resources, options: resolved, nonce, participant });
    } catch (error) {
      if (staging !== undefined) await closeStaging(staging);
      await store.close();
      throw error;
    }
  }

  /** Absolute path of the directory. */
  get root(): string {
    return this.#resources.store.root;
  }

  /**
   * Saves a checkpoint. Staging starts at once; sources must stay as they are until `staged`. Where several ranks save
   * together, each makes the same calls with its own tensors. The call looks at every tensor before it returns: that
   * takes about a microsecond each, and three to five where they are other tensors than before, which have to be laid out.
   * @throws {SnapshardError} at the call, for whatever is wrong with the request; what fails later rejects
   */
  save(request: SaveRequest, options?: SaveOptions): Save {
    const called_ms = performance.now();
    this.#requireOpen();
    const key = this.#count(request);
    try {
      return this.#start(request, options, key, called_ms);
    } catch (error) {
      this.#refuse(key, error);
      throw error;
    }
  }

  #start(request: SaveRequest, options: SaveOptions | undefined, key: SaveKey | undefined, called_ms: number): Save {
    const checked = checkRequest(request);
    const { signal, trace } = checkSaveOptions(options);
    const { specs, sources } = normalizeTensors(request.tensors, leaseOf, this.#plans.lastSpecs, this.#place, cudaOf);
    const plan = this.#plans.planFor(specs);
    if (signal?.aborted) return this.#abortedSave(checked.step, plan.bytes, signal.reason, key);
    const { staging, store } = this.#resources;
    const transfer = new Transfer(staging, plan, sources, { ...checked, trace }, store.root);
    const job = { request: checked, plan, writer: this.#nonce, called_ms };
    return this.#follow(job, transfer, signal, key);
  }

  /** All ranks count their calls, so that they agree on which save is which; also those that fail. */
  #count(request: unknown): SaveKey | undefined {
    const step: unknown = typeof request === 'object' && request !== null ? Reflect.get(request, 'step') : undefined;
    return isStep(step) ? this.#participant?.call(step) : undefined;
  }

  /** The other ranks learn that this one is not coming. */
  #refuse(key: SaveKey | undefined, reason: unknown): void {
    if (this.#participant === undefined || key === undefined) return;
    this.#tail = Promise.all([this.#tail, this.#participant.refuse(key, reason)]).then(() => undefined);
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
  #follow(job: SaveJob, transfer: Transfer, signal: AbortSignal | undefined, key: SaveKey | undefined): Save {
    const turn = this.#tail;
    const onDead = (): void => {
      this.#die();
    };
    const { step, metadata, overwrite } = job.request;
    const facts = { step, time: new Date(), metadata, overwrite };
    const participant = this.#participant;
    const protocolFor = (interruption: Interruption): SaveProtocol =>
      participant === undefined || key === undefined
        ? new Solo(this.#resources.store, facts, interruption)
        : participant.protocolFor(key, facts, interruption);
    const attempt = new Attempt({ job, transfer, resources: this.#resources, signal, turn, protocolFor, onDead });
    this.#attempts.add(attempt);
    void attempt.ended.then(() => this.#attempts.delete(attempt));
    this.#tail = this.#heardAfter(Promise.all([turn, attempt.settled]), job.request.step, attempt.outcome);
    return new Save(attempt.outcome, attempt.feed);
  }

  #abortedSave(step: number, totalBytes: number, reason: unknown, key: SaveKey | undefined): Save {
    this.#refuse(key, reason);
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
    await this.#participant?.leave().catch(() => undefined);
    await closeStaging(this.#resources.staging);
    await this.#resources.store.close();
  }

  #requireOpen(): void {
    if (this.#refusal !== '') throw new SnapshardError('ERR_SNAPSHARD_CLOSED', this.#refusal);
  }
}

/** Sixteen digits stand for the run's id in names: enough that no two runs below one root share them. */
const runDigits = 16;

function meet(store: NativeStore, place: ResolvedRank, writer: string, deadlineMs: number): Promise<Participant> {
  const { rank, worldSize, runId = '' } = place;
  const run = binding.digest(Buffer.from(runId)).slice(0, runDigits);
  return Participant.meet({ store, run, rank, worldSize, writer }, { clock: systemClock, deadlineMs });
}
