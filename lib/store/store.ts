/** One file to write: its path relative to the root, and all of its bytes. */
export interface StoreFile {
  path: string;
  contents: Uint8Array;
}

/**
 * Where checkpoints live: every directory operation of the publish protocol goes through here, so that the protocol
 * runs the same on a disk and on a model of one. Paths are relative to the root and use `/`; `''` is the root itself.
 * Every failure is a `SnapshardError` that carries the system's `errno`. Operations run one at a time, in the order made,
 * so several can be asked for before the first has ended.
 */
export interface Store {
  /** Absolute path of the root, for results and messages. */
  readonly root: string;
  /** Creates a directory, which must not exist. With `hold`, it is ours until renamed or removed: nobody reclaims it. */
  makeDirectory(path: string, hold: boolean): Promise<void>;
  /** Creates files, which must not exist: writes all, then syncs each. */
  writeFiles(files: readonly StoreFile[]): Promise<void>;
  /** Reads a whole file of at most `maxBytes`. */
  readFile(path: string, maxBytes: number): Promise<Uint8Array>;
  /** The last `maxBytes` of a file; all of a shorter one. */
  readTail(path: string, maxBytes: number): Promise<Uint8Array>;
  /** Names in a directory as they are now (never from a cached handle), in no order. */
  list(path: string): Promise<string[]>;
  /** Of the names in the root, those that may be ours: a root may be full of other things. As fresh as those of `list`. */
  listRoot(): Promise<string[]>;
  /** Renames, and never replaces: a taken name is `EEXIST` or `ENOTEMPTY`. */
  rename(from: string, to: string): Promise<void>;
  /** Makes the entries of directories durable. */
  syncDirectories(paths: readonly string[]): Promise<void>;
  /** Removes a file or a whole directory; one that is not there is no error. */
  removeTree(path: string): Promise<void>;
  /** Renames `from` to `to` if nobody holds it (where locks do not tell, as on NFS: if idle for `idleSeconds`). Resolves to whether it did. */
  reclaim(from: string, to: string, idleSeconds: number): Promise<boolean>;
  /** Waits for the operations under way. */
  close(): Promise<void>;
}
