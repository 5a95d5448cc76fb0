import type { ListedFile } from '../layout/manifest.js';

/** A small file, and how a manifest lists it; its name is relative to the step's directory. */
export interface ListedContents extends ListedFile {
  readonly contents: Uint8Array;
}

/** All that one rank writes beside its shards. */
export interface RankFiles {
  readonly sideFiles: readonly ListedContents[];
  /** Of Hugging Face; none where several ranks save. */
  readonly indexes: readonly ListedContents[];
  readonly digests: ListedContents;
  /** The rank manifest. */
  readonly manifest: ListedContents;
}

/** What a save says of itself beside its files. */
export interface SaveFacts {
  readonly step: number;
  /** When it was asked for. */
  readonly time: Date;
  /** JSON text. */
  readonly metadata: string;
  readonly overwrite: boolean;
}

export interface Publication {
  /** Name of the published directory below the root. */
  readonly name: string;
  /** Digest of the manifest. */
  readonly digest: string;
  /** Older generations of the step, oldest first, which nobody needs any more, for this process to remove. */
  readonly superseded: readonly string[];
}

/** What may stop a save from outside the protocol, and what the protocol tells it. */
export interface Interruption {
  /** Throws the reason, if there is one. */
  check(): void;
  /** Stops the save: it is over for a reason that the store tells. */
  raise(reason: unknown): void;
  /** Resolves at the first reason. */
  readonly raised: Promise<void>;
}

/** How a save that cannot be finished ended after all. */
export type Ending = { readonly publication: Publication } | { readonly failure: unknown };

/** How one save gets its directory and its final name: alone, or together with the other ranks of its session. */
export interface SaveProtocol {
  /** Its directory, below the root, and with the step what distinguishes it from all others. */
  readonly path: string;
  readonly nonce: string;
  /** Whether this process makes the directory, so that what it asks of the store right behind `prepare` finds it. */
  readonly leads: boolean;
  /** Milliseconds before the deadline at which to give up, so that all is told when it passes. */
  readonly margin_ms: number;
  /** Resolves when the directory is there. */
  prepare(): Promise<void>;
  /** Publishes, once this rank's shards are synced. */
  publish(files: RankFiles): Promise<Publication>;
  /**
   * Takes back what was begun, and tells others, at whatever point it is. Never rejects.
   * @param shards paths, below the step's directory, of what this rank may have written
   */
  giveUp(reason: unknown, shards: readonly string[]): Promise<Ending>;
}
