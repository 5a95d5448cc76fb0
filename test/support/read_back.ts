import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface StoredTensor {
  dtype: string;
  shape: number[];
  bytes: Buffer;
}

interface HeaderEntry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

/** The tensors of a safetensors file, read by nothing but the format's own rules. */
export function readShard(path: string): Map<string, StoredTensor> {
  const file = readFileSync(path);
  const headerBytes = Number(file.readBigUInt64LE(0));
  const data = file.subarray(8 + headerBytes);
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerBytes)) as Record<string, HeaderEntry>;
  const tensors = new Map<string, StoredTensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const [begin, end] = entry.data_offsets;
    tensors.set(name, { dtype: entry.dtype, shape: entry.shape, bytes: data.subarray(begin, end) });
  }
  return tensors;
}

/** Names of the shards of a checkpoint, in order. */
export function shardsOf(checkpoint: string): string[] {
  return readdirSync(checkpoint)
    .filter((name) => name.endsWith('.safetensors'))
    .sort();
}

/** All tensors of a checkpoint of whole tensors. */
export function readTensors(checkpoint: string): Map<string, StoredTensor> {
  return new Map(shardsOf(checkpoint).flatMap((name) => [...readShard(join(checkpoint, name))]));
}
