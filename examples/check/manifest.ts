import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hexDigestOf } from './hash.js';
import { array, integer, parseJson, record, text } from './json.js';

export interface ListedFile {
  name: string;
  bytes: number;
  digest: string;
}

export const sameFile = (a: ListedFile, b: ListedFile): boolean =>
  a.name === b.name && a.bytes === b.bytes && a.digest === b.digest;

/** What the manifest and those of all ranks must say alike. */
export interface SaveFacts {
  step: number;
  /** Nonce of the save. */
  save: string;
  worldSize: number;
}

export interface Manifest extends SaveFacts {
  bytes: number;
  files: ListedFile[];
  ranks: { rank: number; manifest: ListedFile; digests: ListedFile }[];
  indexes: ListedFile[];
}

const majorVersion = '1';
const ending = /,"digest":"([0-9a-f]{32})"}\n$/;
const savePattern = /,"save":"[0-9a-z]{1,64}","digest":"[0-9a-f]{32}"}\n$/;

/** Reads `manifest.json` and checks the digest that it ends in. */
export async function readManifest(directory: string): Promise<Manifest> {
  const bytes = await readFile(join(directory, 'manifest.json'));
  const manifest = parseSealed(bytes, 'snapshard');
  const facts = saveFacts(manifest);
  const { worldSize } = facts;
  const ranks = array(manifest.ranks, 'ranks').map(listedRank);
  if (ranks.length !== worldSize || ranks.some(({ rank }, index) => rank !== index)) {
    throw new Error(`it does not list ranks 0 to ${worldSize - 1}, once each and in order`);
  }
  record(manifest.metadata, 'metadata');
  if (Number.isNaN(Date.parse(text(manifest.time, 'time')))) throw new Error('time is not a time');
  const indexes = array(manifest.indexes, 'indexes').map(listedFile);
  if (worldSize > 1 && indexes.length > 0) throw new Error('it lists an index, though it is of several ranks');
  if (!savePattern.test(decodeUtf8(bytes))) throw new Error('`save` is not what stands before its digest');
  return {
    ...facts,
    bytes: bytes.length,
    files: array(manifest.files, 'files').map(listedFile),
    ranks,
    indexes,
  };
}

/** JSON that ends in the digest of all that is before it. */
export function parseSealed(bytes: Buffer, format: string): Record<string, unknown> {
  const source = decodeUtf8(bytes);
  const match = ending.exec(source);
  if (match === null) throw new Error('it does not end in its digest: it is cut off, or not a manifest');
  const covered = bytes.subarray(0, bytes.length - match[0].length);
  if (hexDigestOf(covered) !== match[1]) throw new Error('it does not match the digest in which it ends');
  const manifest = record(parseJson(source), 'it');
  requireFormat(manifest, format);
  return manifest;
}

export function saveFacts(manifest: Record<string, unknown>): SaveFacts {
  const save = text(manifest.save, 'save');
  if (!/^[0-9a-z]{1,64}$/.test(save)) throw new Error(`save is ${JSON.stringify(save)}, which is no nonce`);
  return { step: integer(manifest.step, 'step'), save, worldSize: integer(manifest.worldSize, 'worldSize') };
}

/** Reads a file that a manifest lists, and checks its length and digest. */
export async function readListed(directory: string, { name, bytes, digest }: ListedFile): Promise<Buffer> {
  const contents = await readFile(join(directory, name));
  if (contents.length !== bytes) throw new Error(`it is ${contents.length} bytes long, not ${bytes}`);
  if (hexDigestOf(contents) !== digest) throw new Error('it does not match its digest');
  return contents;
}

/** Refuses another format, and a version that promises nothing about what this one knows. */
function requireFormat(value: Record<string, unknown>, format: string): void {
  const [found, version] = [text(value.format, 'format'), text(value.version, 'version')];
  if (found !== format || version.split('.')[0] !== majorVersion) {
    throw new Error(`it is ${found} ${version}, not ${format} ${majorVersion}.x`);
  }
}

/** A file of the checkpoint by its name, which may not lead out of it. */
export function fileName(value: unknown): string {
  const name = text(value, 'the name of a file');
  if (!/^(ranks\/)?[^/\\]+$/.test(name) || name === '.' || name.endsWith('..')) {
    throw new Error(`${JSON.stringify(name)} is no name of a file of a checkpoint`);
  }
  return name;
}

export function decodeUtf8(bytes: Buffer): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
}

export function listedFile(value: unknown): ListedFile {
  const file = record(value, 'a file');
  return {
    name: fileName(file.name),
    bytes: integer(file.bytes, 'the length of a file'),
    digest: text(file.digest, 'the digest of a file'),
  };
}

function listedRank(value: unknown): Manifest['ranks'][number] {
  const entry = record(value, 'a rank');
  return {
    rank: integer(entry.rank, 'the number of a rank'),
    manifest: listedFile(entry.manifest),
    digests: listedFile(entry.digests),
  };
}
