import { integer, parseJson, record } from './json.js';
import { decodeUtf8 } from './manifest.js';
import type { ShardEntry } from './rank.js';

/** Checks that a Hugging Face index names each tensor of its shards, the right file, and the sum of their bytes. */
export function checkIndex(bytes: Buffer, shards: ShardEntry[]): void {
  const index = record(parseJson(decodeUtf8(bytes)), 'it');
  const files = new Map(Object.entries(record(index.weight_map, 'weight_map')));
  let totalBytes = 0;
  for (const shard of shards) {
    for (const { name, begin, end } of shard.slices) {
      if (files.get(name) !== shard.name) {
        throw new Error(`it has ${name} in ${String(files.get(name))}, not in ${shard.name}`);
      }
      files.delete(name);
      totalBytes += end - begin;
    }
  }
  for (const name of files.keys()) throw new Error(`it names ${name}, which no shard holds`);
  const { total_size } = record(index.metadata, 'metadata');
  if (integer(total_size, 'total_size') !== totalBytes) throw new Error(`its total_size is not ${totalBytes}`);
}
