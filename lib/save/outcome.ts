import { quietDeferred, type Deferred } from './deferred.js';
import type { Published } from './published.js';

/**
 * What becomes of one save, and whether its caller took it up. Its promises are quiet: a failure that nobody took up
 * is told by {@link Outcome.unheard}, not by an unhandled rejection.
 */
export class Outcome {
  readonly #staged: Deferred<void> = quietDeferred();
  readonly #published = quietDeferred<Published>();
  #state: 'pending' | 'staged' | 'published' | 'failed' = 'pending';
  #failure: unknown;
  #failedBeforeStaged = false;
  #stagedTaken = false;
  #publishedTaken = false;

  takeStaged(): Promise<void> {
    this.#stagedTaken = true;
    return this.#staged.promise;
  }

  takePublished(): Promise<Published> {
    this.#publishedTaken = true;
    return this.#published.promise;
  }

  get ended(): boolean {
    return this.#state === 'published' || this.#state === 'failed';
  }

  get failed(): boolean {
    return this.#state === 'failed';
  }

  get failure(): unknown {
    return this.#failure;
  }

  /** Whether it failed, and neither promise that tells of it was asked for. */
  get unheard(): boolean {
    const heard = this.#publishedTaken || (this.#stagedTaken && this.#failedBeforeStaged);
    return this.failed && !heard;
  }

  stage(): void {
    if (this.#state !== 'pending') return;
    this.#state = 'staged';
    this.#staged.resolve();
  }

  publish(published: Published): void {
    if (this.ended) return;
    this.stage();
    this.#state = 'published';
    this.#published.resolve(published);
  }

  /** The first failure is the one that is told; after `published` there is none. */
  fail(failure: unknown): void {
    if (this.ended) return;
    this.#failedBeforeStaged = this.#state === 'pending';
    this.#state = 'failed';
    this.#failure = failure;
    this.#staged.reject(failure);
    this.#published.reject(failure);
  }
}
