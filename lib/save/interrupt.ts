import { forgetAbort, onAbort } from '../abort_listeners.js';
import type { Interruption } from '../store/protocol.js';
import { quietDeferred, type Deferred } from './deferred.js';

/**
 * Why a save has to stop: the first reason counts. A signal's abort is one, until {@link Interrupt.ignoreSignal}.
 */
export class Interrupt implements Interruption {
  readonly #raised: Deferred<void> = quietDeferred();
  readonly #signal: AbortSignal | undefined;
  readonly #onInterrupt: () => void;
  #cause: { readonly reason: unknown } | undefined;
  #abortable = true;

  /** @param onInterrupt called once, at the first reason */
  constructor(signal: AbortSignal | undefined, onInterrupt: () => void) {
    this.#signal = signal;
    this.#onInterrupt = onInterrupt;
    onAbort(signal, this.#onAbort);
  }

  /** Stops the save for a failure of its own. */
  raise(reason: unknown): void {
    if (this.#cause !== undefined) return;
    this.#cause = { reason };
    this.#raised.resolve();
    this.#onInterrupt();
  }

  /** Resolves at the first reason. */
  get raised(): Promise<void> {
    return this.#raised.promise;
  }

  /** Stops the save on its caller's behalf; too late once the signal is ignored. */
  abort(reason: unknown): void {
    if (this.#abortable) this.raise(reason);
  }

  /** From here on the caller cannot stop it any more. */
  ignoreSignal(): void {
    this.#abortable = false;
    forgetAbort(this.#signal, this.#onAbort);
  }

  /** Throws the reason, if there is one. */
  check(): void {
    if (this.#cause !== undefined) throw this.#cause.reason;
  }

  /** The first reason. */
  get reason(): unknown {
    return this.#cause?.reason;
  }

  readonly #onAbort = (): void => {
    this.abort(this.#signal?.reason);
  };
}
