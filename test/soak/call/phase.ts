import type { Fault } from './refusal.js';
import type { Scene } from './scene.js';

/** What a stretch came to while a call was refused in it. */
export type Came = { readonly failure: unknown } | { readonly value: unknown };

/** A stretch of the API in which calls are refused, and what must hold after it. */
export interface Phase {
  readonly name: string;
  /** Everything before it, with nothing refused. */
  prepare(scene: Scene): Promise<Stretch>;
  /** Of the errors of each call, only one or two: those of a phase that takes long. */
  readonly fewErrors?: boolean;
}

export interface Stretch {
  /** Below which paths of errors may lie. */
  readonly roots: readonly string[];
  run(): Promise<unknown>;
  /** What must hold, with nothing refused any more. Where it failed, that what failed was coded is known. */
  check(came: Came, fault: Fault): Promise<void>;
  /** Gives back what it has. */
  end(): Promise<void>;
  /** Whether this failure says as much as can be asked; default {@link expectNames}. */
  judge?(failure: unknown, fault: Fault): void;
}

/** Whether it is published; `undefined` where the writer said that it does not know. */
export function isPublished(came: Came): boolean | undefined {
  if ('value' in came) return true;
  return (came.failure as { code?: unknown }).code === 'ERR_SNAPSHARD_DURABILITY_UNKNOWN' ? undefined : false;
}
