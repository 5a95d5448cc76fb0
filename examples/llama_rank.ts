import { setImmediate } from 'node:timers/promises';
import { CheckpointWriter, type Published, type Tensor } from 'snapshard';
import { adamMoments, drawMoments, drawWeights, llamaModels, llamaTensors, type TensorShape } from '../bench/workloads.js';
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
  const writer = await CheckpointWriter.open(root);
  try {
    const tensors = await drawTensors(writer, signal);
    print(`${weights.length} bf16 weights and their ${shapes.length - weights.length} fp32 Adam moments in memory`);
    const save = writer.save({ step: 1, tensors, metadata: { model: 'Llama 3 8B, cut' } }, { signal });
    await showProgress(save, 'Llama rank');
    return await save;
  } finally {
    await writer.close({ abort: signal.aborted });
  }
}

/** One lease for each group, as a trainer would keep its state: page-aligned memory that the native core reads itself. */
async function drawTensors(writer: CheckpointWriter, signal: AbortSignal): Promise<Map<string, Tensor>> {
  const tensors = new Map<string, Tensor>();
  for (const group of ['model', 'optimizer'] as const) {
    const members = shapes.filter((shape) => shape.group === group);
    const { buffer } = writer.allocate(members.reduce((sum, { bytes }) => sum + bytes, 0));
    let offset = 0;
    for (const member of members) {
      const { name, dtype, shape } = member;
      tensors.set(name, { dtype, shape, group, data: draw(member, buffer, offset, tensors.size) });
      offset += member.bytes;
      await setImmediate();
      signal.throwIfAborted();
    }
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
