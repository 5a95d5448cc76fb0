/** A file of the checkpoint as the manifest lists it; `name` is relative to the step's directory. */
export interface ListedFile {
  readonly name: string;
  readonly bytes: number;
  /** 32 hexadecimal digits: XXH3-128 of the file's bytes. */
  readonly digest: string;
}

export interface RankFiles {
  readonly rank: number;
  /** `ranks/00000.json` */
  readonly manifest: ListedFile;
  /** `ranks/00000.digests` */
  readonly digests: ListedFile;
}

export interface ManifestContent {
  readonly step: number;
  /** When the save was asked for. */
  readonly time: Date;
  readonly worldSize: number;
  /** JSON text of the user's metadata, from `metadataText`. */
  readonly metadata: string;
  /** Side files of the user. */
  readonly files: readonly ListedFile[];
  readonly ranks: readonly RankFiles[];
  readonly indexes: readonly ListedFile[];
}

export interface EncodedManifest {
  readonly bytes: Uint8Array;
  /** The digest that the manifest ends in. */
  readonly digest: string;
}

/** @param digest XXH3-128 of bytes as 32 hexadecimal digits */
export function encodeManifest(_content: ManifestContent, _digest: (bytes: Uint8Array) => string): EncodedManifest {
  throw new Error('being written');
}
