import type { Outcome } from './outcome.js';
import type { Progress, ProgressFeed } from './progress.js';
import type { Published } from './published.js';

/**
 * A save under way. Awaiting it means durable and published. Neither it nor its promises ever raise an unhandled
 * rejection by themselves: a failure that nobody took up goes to the diagnostics channel `snapshard:save:failed`, and
 * rejects the writer's `close`.
 */
export class Save implements PromiseLike<Published> {
  readonly #outcome: Outcome;
  readonly #feed: ProgressFeed;

  /** @internal made by `CheckpointWriter.save` */
  constructor(outcome: Outcome, feed: ProgressFeed) {
    this.#outcome = outcome;
    this.#feed = feed;
  }

  /** Resolves when the sources may change again: every byte has been read (with `inPlace`: is on disk). */
  get staged(): Promise<void> {
    return this.#outcome.takeStaged();
  }

  /** Resolves when the checkpoint is durable and has its final name. */
  get published(): Promise<Published> {
    return this.#outcome.takePublished();
  }

  then<Value = Published, Caught = never>(
    onPublished?: ((published: Published) => Value | PromiseLike<Value>) | null,
    onFailed?: ((reason: unknown) => Caught | PromiseLike<Caught>) | null,
  ): Promise<Value | Caught> {
    return this.published.then(onPublished, onFailed);
  }

  catch<Caught = never>(
    onFailed?: ((reason: unknown) => Caught | PromiseLike<Caught>) | null,
  ): Promise<Published | Caught> {
    return this.published.catch(onFailed);
  }

  /**
   * The latest progress, as often as the caller asks and it has changed; ends when the save does, and never throws.
   * Ending it early cancels nothing.
   */
  progress(): AsyncIterableIterator<Progress> {
    return this.#feed.watch();
  }
}
