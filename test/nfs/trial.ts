/** Something that must hold over NFS, and one line of the table. */
export interface Trial {
  /** Which mounts it is about. */
  readonly mounts: string;
  readonly name: string;
  /** @returns what else the table is to tell; throws what is wrong */
  readonly run: () => Promise<string>;
}

/** What a part consists of, made ready, and what gives the machine back. */
export interface Part {
  readonly trials: readonly Trial[];
  end(): Promise<void>;
}
