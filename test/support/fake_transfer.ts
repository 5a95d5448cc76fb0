import type { NativeError, TransferRequest, TransferResult, TransferStart } from '../../lib/binding.js';

/** A failure as native reports it. */
export function nativeError(kind: NativeError['kind'], errnoName = '', syscall = '', path = ''): NativeError {
  const error = new Error(`${kind} ${errnoName} ${syscall}`);
  return Object.assign(error, { kind, errno: errnoName === '' ? 0 : 5, errnoName, syscall, path });
}

/** One transfer, moved on by the test. */
export class FakeTransfer {
  readonly start: TransferStart;
  opened: string[] | undefined;
  aborted = false;
  ended = false;
  /** Whether an abort ends it, as a device that answers does. */
  answers = true;
  progress = { stagedBytes: 0, writtenBytes: 0 };
  #resolveStaged!: () => void;
  #rejectStaged!: (error: Error) => void;
  #resolveDurable!: (result: TransferResult) => void;
  #rejectDurable!: (error: Error) => void;

  constructor(
    readonly handle: number,
    readonly request: TransferRequest,
  ) {
    const staged = new Promise<void>((resolve, reject) => {
      this.#resolveStaged = resolve;
      this.#rejectStaged = reject;
    });
    const durable = new Promise<TransferResult>((resolve, reject) => {
      this.#resolveDurable = resolve;
      this.#rejectDurable = reject;
    });
    this.start = { handle, staged, durable };
  }

  stage(): void {
    this.#resolveStaged();
  }

  finish(): void {
    this.ended = true;
    const chunks = new Uint8Array(16 * this.request.headers.length);
    this.#resolveStaged();
    this.#resolveDurable({
      chunkDigests: chunks,
      sliceDigests: new Uint8Array(16 * this.request.sliceBytes.length),
      fileDigests: chunks,
      direct: 'yes',
      directReason: '',
      threadsReason: '',
      engine: 'io_uring',
      deviceSnapshot: false,
      deviceReason: '',
      stagedSeconds: 1,
      writtenSeconds: 2,
      durableSeconds: 3,
      cpuSeconds: 4,
    });
  }

  fail(error: Error): void {
    this.ended = true;
    this.#rejectStaged(error);
    this.#rejectDurable(error);
  }

  abort(): void {
    this.aborted = true;
    if (this.answers && !this.ended) this.fail(nativeError('aborted'));
  }
}
