import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A tensor, or part of one, of one byte an element. */
export interface ForeignSlice {
  shape: number[];
  /** Where it begins in its tensor. */
  offsets?: number[];
  dtype?: string;
}

/** A safetensors file as others write it, of zeros. Where one slice has offsets, all are listed as PyTorch DCP does. */
export function shard(tensors: Record<string, ForeignSlice>, metadata?: Record<string, string>): Buffer {
  const header: Record<string, unknown> = {};
  const sharded = Object.values(tensors).some(({ offsets }) => offsets !== undefined);
  const info = Object.entries(tensors).map(([name, { offsets }]) => [name, { saved_offsets: offsets }]);
  const sharding = sharded ? { DCP_SHARDING_INFO: JSON.stringify(Object.fromEntries(info)) } : {};
  if (sharded || metadata) header.__metadata__ = { ...metadata, ...sharding };
  let position = 0;
  for (const [name, { shape, dtype = 'U8' }] of Object.entries(tensors)) {
    const bytes = shape.reduce((product, size) => product * size, 1);
    header[name] = { dtype, shape, data_offsets: [position, position + bytes] };
    position += bytes;
  }
  const json = Buffer.from(JSON.stringify(header));
  const word = Buffer.alloc(8);
  word.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([word, json, Buffer.alloc(position)]);
}

/** Makes a folder of files by name: bytes, or what is written as JSON. */
export function writeFolder(folder: string, files: Record<string, Buffer | object>): string {
  mkdirSync(folder, { recursive: true });
  for (const [name, contents] of Object.entries(files)) {
    writeFileSync(join(folder, name), Buffer.isBuffer(contents) ? contents : JSON.stringify(contents));
  }
  return folder;
}
