import { setImmediate } from 'node:timers/promises';
import { CheckpointWriter, type Lease, type Published, type Tensor } from 'snapshard';
import { cutTensors, sumBytes } from '../lib/bench/cut.js';
import { fillTensor } from '../lib/bench/data.js';
import { adamMoments, llamaModels, llamaTensors } from '../lib/bench/llama.js';
import { showProgress } from './progress.js';

const whole = llamaTensors(llamaModels['8B']);
/** One GiB of weights and moments, in the proportions of the whole. */
const weights = cutTensors(whole, 2 ** 30 / sumBytes([...whole, ...adamMoments(whole)]));
const shapes = [...weights, ...adamMoments(weights)];

type Group = 'model' | 'optimizer';

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

function allocateGroup(writer: CheckpointWriter, group: Group): Lease {
  return writer.allocate(sumBytes(shapes.filter((shape) => shape.group === group)));
}

async function drawTensors(leases: Record<Group, Lease>, signal: AbortSignal): Promise<Map<string, Tensor>> {
  const tensors = new Map<string, Tensor>();
  const used: Record<string, number> = { model: 0, optimizer: 0 };
  for (const shape of shapes) {
    const { name, dtype, group, bytes } = shape;
    const data = new Uint8Array(leases[group as Group].buffer, used[group], bytes);
    fillTensor(shape, data, 1);
    tensors.set(name, { dtype, shape: shape.shape, group, data });
    used[group]! += bytes;
    await setImmediate();
    signal.throwIfAborted();
  }
  return tensors;
}
