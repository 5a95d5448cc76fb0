import { array, integer, integers, record, text } from './json.js';
import { fileName, listedFile, parseSealed, saveFacts, type ListedFile, type SaveFacts } from './manifest.js';

export interface RankManifest extends SaveFacts {
  shards: ShardEntry[];
  sideFiles: ListedFile[];
  digests: ListedFile;
}

/** A shard, as the manifest of its rank lists it. */
export interface ShardEntry {
  name: string;
  bytes: number;
  headerBytes: number;
  group: string;
  /** Digest of the digests of its chunks. */
  digest: string;
  /** In the order of the file. */
  slices: SliceEntry[];
}

export interface SliceEntry {
  name: string;
  /** That of its shard. */
  group: string;
  dtype: string;
  globalShape: number[];
  origin: number[];
  shape: number[];
  /** Bytes from the start of the file. */
  begin: number;
  end: number;
  digest: string;
}

/** Reads `ranks/NNNNN.json`, which lists the shards that a rank wrote, in their order. */
export function parseRankManifest(bytes: Buffer, rank: number): RankManifest {
  const manifest = parseSealed(bytes, 'snapshard.rank');
  const facts = saveFacts(manifest);
  if (manifest.rank !== rank) throw new Error(`it is that of rank ${String(manifest.rank)}`);
  const shards = array(manifest.files, 'files').map(shardEntry);
  for (const { name, group } of shards) requireShardName(name, group, rank, facts.worldSize);
  for (const entry of array(manifest.tensors, 'tensors')) {
    const tensor = record(entry, 'a tensor');
    const file = integer(tensor.file, 'the file of a tensor');
    const shard = shards[file];
    if (shard === undefined) throw new Error(`a tensor is in file ${file} of ${shards.length}`);
    shard.slices.push(sliceEntry(tensor, shard.group));
  }
  const sideFiles = array(manifest.sideFiles, 'sideFiles').map(listedFile);
  return { ...facts, shards, sideFiles, digests: listedFile(manifest.digests) };
}

/** Shards of several ranks are named after theirs, so that no two ranks write the same file. */
function requireShardName(name: string, group: string, rank: number, worldSize: number): void {
  const number = String(rank + 1).padStart(5, '0');
  const own = name.startsWith(`shard-${number}-${group}-`) || (worldSize === 1 && name.startsWith(`${group}-`));
  if (!own) throw new Error(`${name} is no shard of rank ${rank} and group ${group}`);
}

function shardEntry(value: unknown): ShardEntry {
  const file = record(value, 'a file');
  return {
    name: fileName(file.name),
    bytes: integer(file.bytes, 'the length of a file'),
    headerBytes: integer(file.headerBytes, 'the length of a header'),
    group: text(file.group, 'the group of a file'),
    digest: text(file.digest, 'the digest of a file'),
    slices: [],
  };
}

function sliceEntry(tensor: Record<string, unknown>, group: string): SliceEntry {
  const name = text(tensor.name, 'the name of a tensor');
  const [begin, end, ...more] = integers(tensor.range, `the range of ${name}`);
  if (begin === undefined || end === undefined || more.length > 0) {
    throw new Error(`the range of ${name} is not two positions`);
  }
  return {
    name,
    group,
    dtype: text(tensor.dtype, `the dtype of ${name}`),
    globalShape: integers(tensor.globalShape, `the global shape of ${name}`),
    origin: integers(tensor.origin, `the origin of ${name}`),
    shape: integers(tensor.shape, `the shape of ${name}`),
    begin,
    end,
    digest: text(tensor.digest, `the digest of ${name}`),
  };
}
