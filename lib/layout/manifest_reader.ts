import { SnapshardError } from '../errors.js';
import { describe, invalidArgument, quote } from '../tensor/describe.js';
import { validateGroup } from '../tensor/name.js';
import { requireInteger, requireList, requireListedFile, requireNonce, requireRecord, requireValue } from './fields.js';
import { formatVersion, manifestFormat } from './format.js';
import { JsonReader } from './json_reader.js';
import { type ListedFile, listed, type RankFiles } from './manifest.js';
import type { JsonValue, Metadata } from './metadata.js';
import { indexName, manifestName, rankDigestsName, rankManifestName, validateSideFileName } from './names.js';
import { checkSeal } from './seal.js';
import { TimeSlices } from './time_slices.js';

/** What `manifest.json` says, all of it checked, though not against the files. */
export interface Manifest {
  readonly step: number;
  /** When the save was asked for. */
  readonly time: Date;
  readonly worldSize: number;
  readonly metadata: Metadata;
  /** Side files of the user. */
  readonly files: readonly ListedFile[];
  /** By rank. */
  readonly ranks: readonly RankFiles[];
  /** Index files of Hugging Face. */
  readonly indexes: readonly ListedFile[];
  /** Nonce of the save. */
  readonly save: string;
  /** What the manifest ends in: the digest of all that comes before. */
  readonly digest: string;
}

/** Ranks have five digits in names, and shards count them from 1. */
const worldSizeMax = 99_999;
const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/;
const indexSuffix = indexName('');
const ranksBetweenChecks = 256;

function unsupported(what: string): SnapshardError {
  return new SnapshardError('ERR_SNAPSHARD_UNSUPPORTED_VERSION', what);
}

/** The fields, by name; those of `ranks`, of which there may be thousands, one by one. */
async function readFields(bytes: Uint8Array, slices: TimeSlices): Promise<ReadonlyMap<string, JsonValue>> {
  const reader = new JsonReader(bytes);
  const fields = new Map<string, JsonValue>();
  reader.enterObject();
  for (let key = reader.nextKey(); key !== undefined; key = reader.nextKey()) {
    if (fields.has(key)) throw new SnapshardError('ERR_SNAPSHARD_CORRUPT', `It has ${quote(key)} twice.`);
    if (key !== 'ranks' || !reader.atList) {
      fields.set(key, reader.value());
      continue;
    }
    const ranks: JsonValue[] = [];
    reader.enterList();
    while (reader.nextItem()) {
      ranks.push(reader.value());
      if (ranks.length % ranksBetweenChecks === 0 && slices.spent) await slices.pause();
    }
    fields.set(key, ranks);
  }
  reader.finish();
  return fields;
}

function checkVersion(fields: ReadonlyMap<string, JsonValue>): void {
  const [format, version] = [fields.get('format'), fields.get('version')];
  if (format !== manifestFormat) throw unsupported(`is of the format ${describe(format)}, not "${manifestFormat}"`);
  const [major] = formatVersion.split('.');
  if (typeof version === 'string' && /^\d+\.\d+$/.test(version) && version.split('.')[0] === major) return;
  throw unsupported(`is of version ${describe(version)} of the format; this Snapshard knows ${major}.x: update it`);
}

function checkTime(value: unknown): Date {
  const time = new Date(typeof value === 'string' && timePattern.test(value) ? value : Number.NaN);
  if (Number.isNaN(time.getTime())) throw invalidArgument('`time`', 'a time of ISO 8601 in UTC', value);
  return time;
}

function checkFiles(value: unknown, what: string, checkName: (name: string) => void): ListedFile[] {
  const names = new Set<string>();
  return requireList(value, `\`${what}\``).map((item) => {
    const file = requireListedFile(item, `one of \`${what}\``);
    checkName(file.name);
    if (names.has(file.name)) throw invalidArgument(`\`${what}\``, 'each name once', file.name);
    names.add(file.name);
    return listed(file);
  });
}

function checkIndexName(name: string): void {
  const group = name.endsWith(indexSuffix) ? name.slice(0, -indexSuffix.length) : '';
  validateGroup(name, group);
}

function checkRanks(value: unknown, worldSize: number): RankFiles[] {
  const ranks = requireList(value, '`ranks`');
  requireValue(ranks.length, 'the length of `ranks`', worldSize);
  return ranks.map((item, rank) => {
    const record = requireRecord(item, `rank ${rank} of \`ranks\``);
    requireValue(record.rank, `\`rank\` of rank ${rank}`, rank);
    const manifest = requireListedFile(record.manifest, `\`manifest\` of rank ${rank}`);
    requireValue(manifest.name, `the name of the manifest of rank ${rank}`, rankManifestName(rank));
    const digests = requireListedFile(record.digests, `\`digests\` of rank ${rank}`);
    requireValue(digests.name, `the name of the digests of rank ${rank}`, rankDigestsName(rank));
    return { rank, manifest: listed(manifest), digests: listed(digests) };
  });
}

function checkFields(fields: ReadonlyMap<string, JsonValue>, digest: string): Manifest {
  checkVersion(fields);
  const worldSize = requireInteger(fields.get('worldSize'), '`worldSize`', 1, worldSizeMax);
  return {
    step: requireInteger(fields.get('step'), '`step`'),
    time: checkTime(fields.get('time')),
    worldSize,
    metadata: requireRecord(fields.get('metadata'), '`metadata`') as Metadata,
    files: checkFiles(fields.get('files'), 'files', validateSideFileName),
    ranks: checkRanks(fields.get('ranks'), worldSize),
    indexes: checkFiles(fields.get('indexes'), 'indexes', checkIndexName),
    save: requireNonce(fields.get('save'), '`save`'),
    digest,
  };
}

/**
 * Reads `manifest.json` and checks all that it says, giving way to the event loop.
 * @param digest XXH3-128 of bytes as 32 hexadecimal digits
 * @throws {SnapshardError} `ERR_SNAPSHARD_CORRUPT` for one that is damaged, or something else;
 *   `ERR_SNAPSHARD_UNSUPPORTED_VERSION` for an intact one of another format or major version
 */
export async function parseManifest(
  bytes: Uint8Array,
  digest: (bytes: Uint8Array) => string,
  slices = new TimeSlices(),
): Promise<Manifest> {
  try {
    const digits = checkSeal(bytes, digest);
    return checkFields(await readFields(bytes, slices), digits);
  } catch (cause) {
    if (!(cause instanceof SnapshardError)) throw cause;
    const { code, message } = cause;
    if (code === 'ERR_SNAPSHARD_UNSUPPORTED_VERSION') throw unsupported(`${manifestName} ${message}.`);
    const text = `${manifestName} is no intact manifest: ${message}`;
    throw new SnapshardError('ERR_SNAPSHARD_CORRUPT', text, { cause });
  }
}
