import { randomFillSync } from 'node:crypto';
import type { CheckpointWriter, Tensor } from 'snapshard';
import { MiB } from './units.js';

const patternBytes = 8 * MiB;

/** Filled BF16 tensors of one size, `bytes` in all (rounded down to whole elements): memory of their own, or leases. */
export function makeTensors(count: number, bytes: number, leaser?: CheckpointWriter): Map<string, Tensor> {
  const pattern = randomFillSync(new Uint8Array(patternBytes));
  const elements = Math.floor(bytes / count / 2);
  const tensors = new Map<string, Tensor>();
  for (let index = 0; index < count; index++) {
    const buffer = leaser ? leaser.allocate(elements * 2).buffer : new ArrayBuffer(elements * 2);
    const data = new Uint8Array(buffer);
    fill(data, pattern, index);
    tensors.set(`layers.${index}.weight`, { dtype: 'BF16', shape: [elements], data });
  }
  return tensors;
}

/** Random bytes, another stretch of them for each tensor: cheap to make, and nothing to gain by compressing them. */
function fill(data: Uint8Array, pattern: Uint8Array, index: number): void {
  let from = (index * 4099) % (patternBytes - 4096);
  for (let at = 0; at < data.length; from = 0) {
    const piece = pattern.subarray(from, from + data.length - at);
    data.set(piece, at);
    at += piece.length;
  }
}
