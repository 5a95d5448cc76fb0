import { array, integer, integers, parseJson, record, text } from './json.js';
import { decodeUtf8, fileName, requireFormat } from './manifest.js';

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
  dtype: string;
  globalShape: number[];
  origin: number[];
  shape: number[];
  /** Bytes from the start of the file. */
  begin: number;
  end: number;
  digest: string;
}

/** Reads `ranks/NNNNN.json`: the shards that a rank wrote, in their order. */
export function parseRankManifest(bytes: Buffer, rank: number): ShardEntry[] {
  const manifest = record(parseJson(decodeUtf8(bytes)), 'it');
  requireFormat(manifest, 'snapshard.rank');
  if (manifest.rank !== rank) throw new Error(`it is that of rank ${String(manifest.rank)}`);
  const shards = array(manifest.files, 'files').map(shardEntry);
  for (const entry of array(manifest.tensors, 'tensors')) {
    const tensor = record(entry, 'a tensor');
    const file = integer(tensor.file, 'the file of a tensor');
    const shard = shards[file];
    if (shard === undefined) throw new Error(`a tensor is in file ${file} of ${shards.length}`);
    shard.slices.push(sliceEntry(tensor));
  }
  return shards;
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

function sliceEntry(tensor: Record<string, unknown>): SliceEntry {
  const name = text(tensor.name, 'the name of a tensor');
  const [begin, end, ...more] = integers(tensor.range, `the range of ${name}`);
  if (begin === undefined || end === undefined || more.length > 0) {
    throw new Error(`the range of ${name} is not two positions`);
  }
  return {
    name,
    dtype: text(tensor.dtype, `the dtype of ${name}`),
    globalShape: integers(tensor.globalShape, `the global shape of ${name}`),
    origin: integers(tensor.origin, `the origin of ${name}`),
    shape: integers(tensor.shape, `the shape of ${name}`),
    begin,
    end,
    digest: text(tensor.digest, `the digest of ${name}`),
  };
}
