import { createHash } from 'node:crypto';
import type { NativeError, TransferRequest, TransferResult, TransferStart } from '../../lib/binding.js';

/** A failure as native reports it. */
export function nativeError(kind: NativeError['kind'], errnoName = '', path = ''): NativeError {
  const error = new Error(`${kind} ${errnoName} ${path}`);
  return Object.assign(error, { kind, errno: errnoName === '' ? 0 : 5, errnoName, syscall: 'model', path });
}

/** Digest of a shard that a transfer wrote. */
export function shardDigest(token: string): string {
  return createHash('md5').update(token).digest('hex');
}

/** Shards on their way: empty files, then full ones. */
export class ModelTransfer {
  readonly start: TransferStart;
  readonly token: string;
  readonly #request: TransferRequest;
  #state: 'new' | 'opening' | 'writing' | 'ended' = 'new';
  #aborted = false;
  #resolve!: (result: TransferResult) => void;
  #reject!: (error: Error) => void;

  constructor(handle: number, token: string, request: TransferRequest) {
    this.token = token;
    this.#request = request;
    const durable = new Promise<TransferResult>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.start = { handle, staged: Promise.resolve(), durable };
  }

  get writing(): boolean {
    return this.#state === 'writing';
  }

  get ended(): boolean {
    return this.#state === 'ended';
  }

  open(created: Promise<void>): void {
    this.#state = 'opening';
    created.then(
      () => {
        this.#state = 'writing';
        if (this.#aborted) this.#fail(nativeError('aborted'));
      },
      (error: unknown) => {
        this.#fail(error as Error);
      },
    );
  }

  /** What the store does for it already, it finishes first. */
  abort(): void {
    this.#aborted = true;
    if (this.#state !== 'opening') this.#fail(nativeError('aborted'));
  }

  end(failure: 'source-changed' | 'ENOSPC' | undefined): void {
    if (failure === 'ENOSPC') this.#fail(nativeError('system', 'ENOSPC'));
    else if (failure !== undefined) this.#fail(nativeError(failure));
    else {
      this.#state = 'ended';
      this.#resolve(this.#result());
    }
  }

  #fail(error: Error): void {
    this.#state = 'ended';
    this.#reject(error);
  }

  #result(): TransferResult {
    const { headers, sliceBytes } = this.#request;
    const chunks = headers.length + sliceBytes.filter((bytes) => bytes > 0).length;
    const digests = headers.map(() => Buffer.from(shardDigest(this.token), 'hex'));
    const timings = { stagedSeconds: 1, writtenSeconds: 2, durableSeconds: 3, cpuSeconds: 4 };
    return {
      chunkDigests: new Uint8Array(16 * chunks),
      sliceDigests: new Uint8Array(16 * sliceBytes.length),
      fileDigests: Buffer.concat(digests),
      direct: 'yes',
      directReason: '',
      threadsReason: '',
      engine: 'io_uring',
      deviceSnapshot: false,
      deviceReason: '',
      ...timings,
    };
  }
}
