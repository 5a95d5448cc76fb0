import type { ChunkDigests } from './chunk_digests.js';
import type { ReadSource } from './read_source.js';
import type { VerifyProgress, VerifyReport } from './read_types.js';
import { meterOf, verifyAll } from './verify.js';
import type { VerifyMeter } from './verify_meter.js';

/** A check of a whole checkpoint under way. Awaiting it gives the report. It never raises an unhandled rejection. */
export class Verification implements PromiseLike<VerifyReport> {
  readonly #report: Promise<VerifyReport>;
  readonly #meter: VerifyMeter;

  /** @internal made by `Checkpoint.verify` */
  constructor(source: ReadSource, lists: ChunkDigests, signal: AbortSignal | undefined) {
    this.#meter = meterOf(source);
    this.#report = source.run(() => verifyAll(source, lists, this.#meter, signal));
    const end = (): void => {
      this.#meter.end();
    };
    this.#report.then(end, end);
  }

  then<Value = VerifyReport, Caught = never>(
    onReport?: ((report: VerifyReport) => Value | PromiseLike<Value>) | null,
    onFailed?: ((reason: unknown) => Caught | PromiseLike<Caught>) | null,
  ): Promise<Value | Caught> {
    return this.#report.then(onReport, onFailed);
  }

  catch<Caught = never>(
    onFailed?: ((reason: unknown) => Caught | PromiseLike<Caught>) | null,
  ): Promise<VerifyReport | Caught> {
    return this.#report.catch(onFailed);
  }

  /**
   * The latest progress, as often as the caller asks and it has changed; ends when the check does, and never throws.
   * Ending it early cancels nothing.
   */
  progress(): AsyncIterableIterator<VerifyProgress> {
    return this.#meter.watch();
  }
}
