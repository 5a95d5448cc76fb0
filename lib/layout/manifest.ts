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
  /** Nonce of the save, as in the rank manifests: lower-case letters and digits. */
  readonly save: string;
}

export interface EncodedManifest {
  readonly bytes: Uint8Array;
  /** What the manifest ends in: the digest of all bytes before `,"digest":`. */
  readonly digest: string;
}

/** The nonce is of at most 64 letters and digits. */
const tailPattern = /,"save":"([0-9a-z]{1,64})","digest":"([0-9a-f]{32})"}\n$/;
const tailBytesMax = 128;

/** What a manifest says of a file, and no more. */
export const listed = ({ name, bytes, digest }: ListedFile): ListedFile => ({ name, bytes, digest });

/**
 * `manifest.json`, which makes a checkpoint of a directory.
 * @param digest XXH3-128 of bytes as 32 hexadecimal digits
 */
export function encodeManifest(content: ManifestContent, digest: (bytes: Uint8Array) => string): EncodedManifest {
  const { step, time, worldSize, metadata, files, ranks, indexes, save } = content;
  const head = JSON.stringify({ format: manifestFormat, version: formatVersion, step, time, worldSize });
  const lists = JSON.stringify({
    files: files.map(listed),
    ranks: ranks.map(({ rank, manifest, digests }) => ({ rank, manifest: listed(manifest), digests: listed(digests) })),
    indexes: indexes.map(listed),
    save,
  });
  const text = `${head.slice(0, -1)},"metadata":${metadata},${lists.slice(1, -1)}`;
  const encoder = new TextEncoder();
  const digits = digest(encoder.encode(text));
  return { bytes: encoder.encode(`${text},"digest":"${digits}"}\n`), digest: digits };
}

export interface ManifestTail {
  /** Nonce of the save. */
  readonly save: string;
  /** What the manifest says its digest is; nothing is checked. */
  readonly digest: string;
}

/**
 * What `manifest.json` ends in.
 * @param bytes its last 128 bytes, or more
 * @returns `undefined` for anything else, such as a manifest that is cut off
 */
export function parseManifestTail(bytes: Uint8Array): ManifestTail | undefined {
  const [, save, digest] = tailPattern.exec(new TextDecoder('latin1').decode(bytes.subarray(-tailBytesMax))) ?? [];
  return save === undefined || digest === undefined ? undefined : { save, digest };
}
