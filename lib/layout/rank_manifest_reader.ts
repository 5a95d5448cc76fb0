import { SnapshardError } from '../errors.js';
import { invalidArgument, quote } from '../tensor/describe.js';
import { validateGroup } from '../tensor/name.js';
import {
  requireDigest,
  requireInteger,
  requireList,
  requireListedFile,
  requireNonce,
  requireRecord,
  requireValue,
} from './fields.js';
import { digestBytes, formatVersion, rankManifestFormat } from './format.js';
import type { ListedFile } from './manifest.js';
import { rankDigestsName, rankManifestName, shardName, slicedShardName, validateSideFileName } from './names.js';
import { parseRankManifestJson } from './rank_manifest_json.js';
import { type RankTensor, TensorListCheck } from './rank_tensors.js';
import { checkSeal } from './seal.js';
import { TimeSlices } from './time_slices.js';

/** A shard of a rank. */
export interface RankShard {
  readonly name: string;
  readonly bytes: number;
  /** Where its data begins. */
  readonly headerBytes: number;
  readonly group: string;
  readonly digest: string;
}

/** What `ranks/00000.json` says, all of it checked, though not against the files. */
export interface RankManifest {
  readonly rank: number;
  /** Nonce of the writer. */
  readonly writer: string;
  readonly files: readonly RankShard[];
  /** File by file, in the order in which they lie there. */
  readonly tensors: readonly RankTensor[];
  readonly step: number;
  /** Nonce of the save. */
  readonly save: string;
  readonly worldSize: number;
  /** Side files that this rank brought. */
  readonly sideFiles: readonly ListedFile[];
  /** `ranks/00000.digests` */
  readonly digests: ListedFile;
}

/** Ranks have five digits in names, and shards count them from 1. */
const worldSizeMax = 99_999;
const headerAlignmentBytes = 4096;
const shardNamePattern = /(\d{5})-of-(\d{5})\.safetensors$/;
const entriesBetweenChecks = 512;

function corrupt(what: string): SnapshardError {
  return new SnapshardError('ERR_SNAPSHARD_CORRUPT', `${what}.`);
}

async function parseText(bytes: Uint8Array, slices: TimeSlices): Promise<unknown> {
  try {
    return await parseRankManifestJson(bytes, slices);
  } catch (cause) {
    // Which cites the text itself, whatever that would do to a terminal.
    throw corrupt(`it is no JSON (${quote(cause instanceof Error ? cause.message : String(cause))})`);
  }
}

function checkVersion(version: unknown): void {
  const [major] = formatVersion.split('.');
  if (typeof version === 'string' && /^\d+\.\d+$/.test(version) && version.split('.')[0] === major) return;
  throw invalidArgument('`version`', `${major}.x, all that this Snapshard knows,`, version);
}

/** Of several ranks, each has names of its own. */
function checkShardName(name: unknown, group: string, rank: number, worldSize: number): string {
  const [, digits, total] = shardNamePattern.exec(typeof name === 'string' ? name : '') ?? [];
  const [number, count] = [Number(digits), Number(total)];
  const counted = number >= 1 && number <= count;
  if (counted && name === slicedShardName(rank, group, number, count)) return name;
  if (counted && worldSize === 1 && name === shardName(group, number, count)) return name;
  throw invalidArgument('`name` of a shard', `one of rank ${rank} and group ${quote(group)}`, name);
}

function checkShard(value: unknown, rank: number, worldSize: number): RankShard {
  const { name, bytes, headerBytes, group, digest } = requireRecord(value, 'a shard');
  validateGroup('a shard', group);
  const what = quote(checkShardName(name, group, rank, worldSize));
  requireInteger(headerBytes, `\`headerBytes\` of ${what}`, headerAlignmentBytes);
  requireValue((headerBytes as number) % headerAlignmentBytes, `\`headerBytes\` of ${what}, modulo 4096,`, 0);
  requireInteger(bytes, `\`bytes\` of ${what}`, headerBytes as number);
  requireDigest(digest, `\`digest\` of ${what}`);
  return value as RankShard;
}

function requireUnique(files: readonly { readonly name: string }[]): void {
  const names = new Set<string>();
  for (const { name } of files) {
    if (names.has(name)) throw corrupt(`it lists ${quote(name)} twice`);
    names.add(name);
  }
}

/** All but the tensors. */
function checkFrame(manifest: Record<string, unknown>, name: string): void {
  requireValue(manifest.format, '`format`', rankManifestFormat);
  checkVersion(manifest.version);
  const worldSize = requireInteger(manifest.worldSize, '`worldSize`', 1, worldSizeMax);
  const rank = requireInteger(manifest.rank, '`rank`', 0, worldSize - 1);
  requireValue(rankManifestName(rank), 'the name of this manifest', name);
  requireNonce(manifest.writer, '`writer`');
  requireInteger(manifest.step, '`step`');
  requireNonce(manifest.save, '`save`');
  const files = requireList(manifest.files, '`files`').map((file) => checkShard(file, rank, worldSize));
  const listed = requireList(manifest.sideFiles, '`sideFiles`');
  const sideFiles = listed.map((file) => requireListedFile(file, 'a side file'));
  for (const sideFile of sideFiles) validateSideFileName(sideFile.name);
  requireUnique(files);
  requireUnique(sideFiles);
  const digests = requireListedFile(manifest.digests, '`digests`');
  requireValue(digests.name, '`name` of `digests`', rankDigestsName(rank));
}

async function checkTensors({ files, tensors, digests }: RankManifest, slices: TimeSlices): Promise<void> {
  requireList(tensors, '`tensors`');
  const check = new TensorListCheck(files);
  for (let index = 0; index < tensors.length; index += 1) {
    check.add(tensors[index]);
    if (index % entriesBetweenChecks === 0 && slices.spent) await slices.pause();
  }
  const chunks = check.finish();
  requireValue(digests.bytes, '`bytes` of `digests`', chunks * digestBytes);
}

/**
 * Reads a rank manifest and checks all that it says, giving way to the event loop.
 * @param digest XXH3-128 of bytes as 32 hexadecimal digits
 * @param name its name in the step's directory (`ranks/00003.json`), which tells whose it must be
 * @throws {SnapshardError} `ERR_SNAPSHARD_CORRUPT`, naming the file, for one that is damaged, or something else
 */
export async function parseRankManifest(
  bytes: Uint8Array,
  digest: (bytes: Uint8Array) => string,
  name: string,
  slices = new TimeSlices(),
): Promise<RankManifest> {
  try {
    checkSeal(bytes, digest);
    const manifest = requireRecord(await parseText(bytes, slices), 'all of it');
    checkFrame(manifest, name);
    // Every field has been checked, but for the tensors, which the next line checks.
    const checked = manifest as unknown as RankManifest;
    await checkTensors(checked, slices);
    return checked;
  } catch (cause) {
    if (!(cause instanceof SnapshardError)) throw cause;
    const message = `${name} is no intact rank manifest: ${cause.message}`;
    throw new SnapshardError('ERR_SNAPSHARD_CORRUPT', message, { cause });
  }
}
