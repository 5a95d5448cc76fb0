import type { TogetherOptions } from './child.js';
import type { Measured } from './measured.js';
import type { Row } from './result.js';

/** One of those that run against each other: a row of the result, and how it gets its samples. */
export interface Entry<Where> {
  readonly row: Pick<Row, 'id' | 'kind' | 'phase' | 'label'>;
  /** Why it cannot be run here, and what to do about it. */
  readonly missing?: string | undefined;
  /** What one trial moves, as far as it is known before: for the progress. */
  readonly bytes: number;
  /** In fresh processes, which have ended when it settles. */
  readonly run: (where: Where, options: Required<TogetherOptions>) => Promise<Outcome>;
}

export interface Outcome {
  readonly sample: Measured;
  /** How it went about it. */
  readonly how: string;
}

/** Writes into a folder, which is empty. */
export type SaveEntry = Entry<string>;

/** Our own save, whose checkpoint the readers then read. */
export interface OwnSaveEntry extends SaveEntry {
  readonly run: (folder: string, options: Required<TogetherOptions>) => Promise<Outcome & { readonly path: string }>;
}

/** Saves over and over: a sample for each save. */
export interface ScheduledEntry extends Omit<SaveEntry, 'run'> {
  readonly run: (folder: string, options: Required<TogetherOptions>) => Promise<{ samples: readonly Measured[]; how: string }>;
}

/** Reads a checkpoint of ours. */
export interface ReadEntry extends Entry<SavedFiles> {
  /** What the page cache has of it before: nothing, or as much as fits. */
  readonly cache: 'cold' | 'warm';
}

/** Moves memory. */
export type CopyEntry = Entry<undefined>;

export interface SavedFiles {
  /** The folder of the step. */
  readonly path: string;
  /** All of its files: absolute paths. */
  readonly files: readonly string[];
  /** Those of tensors, largest first. */
  readonly shards: readonly { readonly path: string; readonly bytes: number }[];
}
