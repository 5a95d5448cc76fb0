import { randomFillSync } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CheckpointWriter, CudaMemory, openCheckpoint, type Tensor } from 'snapshard';
import { MiB } from './units.js';

const patternBytes = 64 * MiB;
/** What allocators of device memory keep tensors apart by, so that no two of them can be copied as one. */
const gapBytes = 512;

/** Device memory with random bytes: read there from a checkpoint in `folder`, which goes afterwards. */
async function filledMemory(device: number, bytes: number, folder: string): Promise<CudaMemory> {
  const memory = CudaMemory.allocate(bytes, device);
  const root = join(folder, 'pattern');
  mkdirSync(root);
  const writer = await CheckpointWriter.open(root, { stagingBytes: patternBytes });
  const { path } = await writer.save({ step: 0, tensors: { pattern: randomFillSync(new Uint8Array(patternBytes)) } });
  await writer.close();
  const checkpoint = await openCheckpoint(path, { cudaDevice: device });
  for (let offset = 0; offset < bytes; offset += patternBytes) {
    const data = memory.slice(offset, Math.min(patternBytes, bytes - offset));
    await checkpoint.readInto({ pattern: { data, origin: [0], shape: [data.bytes] } });
  }
  await checkpoint.close();
  rmSync(root, { recursive: true });
  return memory;
}

/** Filled BF16 tensors of one size in the memory of a GPU, `bytes` in all (rounded down to whole elements). */
export async function makeDeviceTensors(
  count: number,
  bytes: number,
  device: number,
  folder: string,
): Promise<Map<string, Tensor>> {
  const elements = Math.floor(bytes / count / 2);
  const strideBytes = Math.ceil((2 * elements) / gapBytes + 1) * gapBytes;
  const memory = await filledMemory(device, count * strideBytes, folder);
  const tensorAt = (index: number): [string, Tensor] => {
    const data = memory.slice(index * strideBytes, 2 * elements);
    return [`layers.${index}.weight`, { dtype: 'BF16', shape: [elements], data }];
  };
  return new Map(Array.from({ length: count }, (_, index) => tensorAt(index)));
}
