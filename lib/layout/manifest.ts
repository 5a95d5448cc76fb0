import { formatVersion, manifestFormat } from './format.js';

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
  /** Index files of Hugging Face. */
  readonly indexes: readonly ListedFile[];
}

export interface EncodedManifest {
  readonly bytes: Uint8Array;
  /** What the manifest ends in: the digest of all bytes before `,"digest":`. */
  readonly digest: string;
}

const listed = ({ name, bytes, digest }: ListedFile): ListedFile => ({ name, bytes, digest });

/**
 * `manifest.json`, which makes a checkpoint of a directory.
 * @param digest XXH3-128 of bytes as 32 hexadecimal digits
 */
export function encodeManifest(content: ManifestContent, digest: (bytes: Uint8Array) => string): EncodedManifest {
  const { step, time, worldSize, metadata, files, ranks, indexes } = content;
  const head = JSON.stringify({ format: manifestFormat, version: formatVersion, step, time, worldSize });
  const lists = JSON.stringify({
    files: files.map(listed),
    ranks: ranks.map(({ rank, manifest, digests }) => ({ rank, manifest: listed(manifest), digests: listed(digests) })),
    indexes: indexes.map(listed),
  });
  const text = `${head.slice(0, -1)},"metadata":${metadata},${lists.slice(1, -1)}`;
  const encoder = new TextEncoder();
  const digits = digest(encoder.encode(text));
  return { bytes: encoder.encode(`${text},"digest":"${digits}"}\n`), digest: digits };
}
