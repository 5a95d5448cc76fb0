import {
  binding,
  type NativeError,
  type StagingHandle,
  type TransferProgress,
  type TransferRequest,
  type TransferResult,
  type TransferStart,
} from '../binding.js';
import type { Plan } from '../layout/plan.js';
import { orderSegments } from '../layout/segments.js';
import type { NativeStore } from '../store/native_store.js';
import { toSnapshardError, type ErrorContext } from '../store/native_error.js';
import { quote } from '../tensor/describe.js';
import { changedSource, tensorsOfFiles, type SourceTable } from '../tensor/source.js';

/** How the bytes of a save are taken, and whether that is recorded. */
export interface TransferModes {
  readonly inPlace: boolean;
  readonly deviceSnapshot: boolean;
  readonly trace: boolean;
}

/** The bytes of one save on their way from the sources to the files. Native keeps the sources from being collected. */
export class Transfer {
  /** Every source byte has been read, and no source was taken away or resized before. */
  readonly staged: Promise<void>;
  /** All files are complete and synced. */
  readonly durable: Promise<TransferResult>;
  /** `performance.now()` when native began. */
  readonly started_ms: number;
  readonly #start: TransferStart;
  readonly #context: ErrorContext;
  /** By path. The sources themselves may be collected before this is. */
  readonly #tensorsOfFiles: ReadonlyMap<unknown, string>;

  /**
   * Starts to stage at once; nothing is written before {@link Transfer.open}.
   * @throws {SnapshardError} what native refuses
   */
  constructor(staging: StagingHandle, plan: Plan, sources: SourceTable, modes: TransferModes, root: string) {
    this.#context = { action: 'save', root, neededBytes: plan.bytes };
    this.#tensorsOfFiles = tensorsOfFiles(sources);
    const request = describeTransfer(plan, sources, modes);
    this.started_ms = performance.now();
    this.#start = this.#mapThrown(() => binding.startTransfer(staging, request));
    this.staged = this.#checkStaged(sources);
    this.durable = this.#mapRejected(this.#start.durable);
    this.staged.catch(() => undefined);
    this.durable.catch(() => undefined);
  }

  /** Creates the files below a store, and lets writing begin. */
  open(store: NativeStore, paths: string[]): void {
    try {
      binding.openFiles(this.#start.handle, store.handle, paths);
    } catch (error) {
      // A transfer that has failed already is gone; `durable` says why, and nothing else needs to.
      if (!isClosed(error)) throw this.#explain(error);
    }
  }

  /** Both promises reject soon, unless the device never answers. */
  abort(): void {
    try {
      binding.abortTransfer(this.#start.handle);
    } catch (error) {
      if (!isClosed(error)) throw this.#explain(error);
    }
  }

  /** Aborts, and waits until native has let go of sources and files. Never rejects. */
  async stop(): Promise<void> {
    this.abort();
    await this.durable.catch(() => undefined);
  }

  /** `undefined` once the transfer has ended. */
  progress(): TransferProgress | undefined {
    return binding.transferProgress(this.#start.handle);
  }

  async #checkStaged(sources: SourceTable): Promise<void> {
    await this.#mapRejected(this.#start.staged);
    const changed = changedSource(sources);
    if (changed !== undefined) throw changed;
  }

  #mapThrown<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw this.#explain(error);
    }
  }

  async #mapRejected<T>(promise: Promise<T>): Promise<T> {
    try {
      return await promise;
    } catch (error) {
      throw this.#explain(error);
    }
  }

  #explain(error: unknown): Error {
    const tensor = this.#tensorsOfFiles.get((error as Partial<NativeError> | undefined)?.path);
    if (tensor === undefined) return toSnapshardError(error, this.#context);
    return toSnapshardError(error, { ...this.#context, action: `save tensor ${quote(tensor)} from its fileSource` });
  }
}

function describeTransfer(
  plan: Plan,
  sources: SourceTable,
  { inPlace, deviceSnapshot, trace }: TransferModes,
): TransferRequest {
  const segments = orderSegments(plan, sources);
  return {
    headers: plan.files.map((file) => file.header),
    fileSlices: plan.fileSlices,
    sliceBytes: plan.sliceBytes,
    segmentBytes: segments.segmentBytes,
    segmentSource: segments.segmentSource,
    segmentOffset: segments.segmentOffset,
    sources: sources.sources,
    sourceKinds: sources.sourceKinds,
    inPlace,
    deviceSnapshot,
    trace,
  };
}

function isClosed(error: unknown): boolean {
  return error instanceof Error && 'kind' in error && error.kind === 'closed';
}
