import { setImmediate } from 'node:timers/promises';
import { CheckpointWriter, type Lease, type Published, type Tensor } from 'snapshard';
import {
  adamMoments,
  drawMoments,
  drawWeights,
  llamaModels,
  llamaTensors,
  type TensorShape,
} from '../lib/bench/llama.js';
import { showProgress } from './progress.js';

/** One rank of sixteen, and seven of the 32 layers: about 1 GiB, in the proportions of the whole. */
const weights = llamaTensors(llamaModels['8B'], { ranks: 16, layers: 7 });
const shapes = [...weights, ...adamMoments(weights)];

export interface LlamaOptions {
  /** Where the checkpoint goes: an existing directory. */
  root: string;
  signal: AbortSignal;
  print: (line: string) => void;
}

/** Saves one rank of a Llama-3-8B-shaped checkpoint: bf16 weights and Adam's fp32 moments. */
export async function saveLlamaRank({ root, signal, print }: LlamaOptions): Promise<Published> {
  print(`   tensors      ${weights.length} bf16 weights and their ${shapes.length - weights.length} fp32 Adam moments`);
  print(`   memory       leases of the writer, filled with values as hard to compress as real ones`);
  const writer = await CheckpointWriter.open(root);
  // One lease for each group: page-aligned memory that the native core reads with no detour.
  const leases = { model: allocateGroup(writer, 'model'), optimizer: allocateGroup(writer, 'optimizer') };
  try {
    const tensors = await drawTensors(leases, signal);
    const save = writer.save({ step: 1, tensors, metadata: { model: 'Llama 3 8B, cut' } }, { signal });
    await showProgress(save, 'Llama rank');
    return await save;
  } finally {
    await writer.close({ abort: signal.aborted });
    for (const lease of Object.values(leases)) lease.dispose();
  }
}

function allocateGroup(writer: CheckpointWriter, group: TensorShape['group']): Lease {
  const members = shapes.filter((shape) => shape.group === group);
  return writer.allocate(members.reduce((sum, { bytes }) => sum + bytes, 0));
}

async function drawTensors(
  leases: Record<TensorShape['group'], Lease>,
  signal: AbortSignal,
): Promise<Map<string, Tensor>> {
  const tensors = new Map<string, Tensor>();
  const used = { model: 0, optimizer: 0 };
  for (const shape of shapes) {
    const { name, dtype, group, bytes } = shape;
    const data = draw(shape, leases[group].buffer, used[group], tensors.size);
    tensors.set(name, { dtype, shape: shape.shape, group, data });
    used[group] += bytes;
    await setImmediate();
    signal.throwIfAborted();
  }
  return tensors;
}

function draw(
  { name, dtype, elements }: TensorShape,
  buffer: ArrayBuffer,
  offset: number,
  seed: number,
): Uint16Array | Float32Array {
  if (dtype === 'BF16') {
    const values = new Uint16Array(buffer, offset, elements);
    drawWeights(values, seed);
    return values;
  }
  const values = new Float32Array(buffer, offset, elements);
  drawMoments(values, seed, name.endsWith('_sq'));
  return values;
}
