/** Numbers for the tensors of a workload, as hard to compress as those that training leaves behind. */
import { createHash } from 'node:crypto';
import { invalidArgument } from '../tensor/describe.js';
import type { Dtype } from '../tensor/dtype.js';
import { drawTables, type Values } from './draw_tables.js';
import { startRandom, randomWords } from './random_words.js';
import type { WorkloadTensor } from './workload.js';

/** A tensor can be filled piece by piece, in any order, where each begins at a multiple of this in the tensor. */
export const fillBlockBytes = 256 * 1024;

const block = new Uint32Array(fillBlockBytes / 4);
const blockBytes = new Uint8Array(block.buffer);

/**
 * Fills `data` with the bytes of `tensor` from `offset` on. Weights (bf16, fp16, fp32) are normal, each drawn for
 * itself; fp32 tensors whose names end in `exp_avg` or `exp_avg_sq` are like Adam's first and second moments, as wide
 * apart in size as those are; the other dtypes are random bits, booleans 0 or 1. Equal seed, name and dtype give equal
 * bytes, other names give others.
 * @param offset in bytes, a multiple of {@link fillBlockBytes}; default 0
 * @throws {SnapshardError} `INVALID_ARGUMENT` for another offset
 */
export function fillTensor(tensor: WorkloadTensor, data: Uint8Array, seed: number, offset = 0): void {
  if (offset % fillBlockBytes !== 0) throw invalidArgument('`offset`', `a multiple of ${fillBlockBytes}`, offset);
  const tables = drawTables(valuesOf(tensor));
  const key = keyOf(tensor, seed);
  for (let at = 0; at < data.length; at += fillBlockBytes) {
    const bytes = Math.min(fillBlockBytes, data.length - at);
    const words = bytes === fillBlockBytes ? block : block.subarray(0, Math.ceil(bytes / 4));
    randomWords(startRandom(key, (offset + at) / fillBlockBytes), words, tables);
    data.set(bytes === fillBlockBytes ? blockBytes : blockBytes.subarray(0, bytes), at);
  }
}

const byDtype: Partial<Record<Dtype, Values>> = {
  BOOL: 'booleans',
  BF16: 'bf16 weights',
  F16: 'fp16 weights',
  F32: 'fp32 weights',
  C64: 'fp32 weights',
};

function valuesOf({ name, dtype }: WorkloadTensor): Values {
  if (dtype === 'F32' && name.endsWith('exp_avg')) return 'first moments';
  if (dtype === 'F32' && name.endsWith('exp_avg_sq')) return 'second moments';
  return byDtype[dtype] ?? 'bits';
}

function keyOf({ name, dtype }: WorkloadTensor, seed: number): Uint32Array {
  const digest = createHash('sha256')
    .update(JSON.stringify([seed, name, dtype]))
    .digest();
  return Uint32Array.from({ length: 3 }, (_, index) => digest.readUInt32LE(4 * index));
}
