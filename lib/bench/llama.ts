/**
 * The models of the MLPerf Storage checkpoint workload, three of them Llama 3, and their tensors under the names that
 * Hugging Face gives them, whole.
 */
import type { WorkloadTensor } from './workload.js';

export interface LlamaModel {
  hidden: number;
  feedForward: number;
  heads: number;
  keyValueHeads: number;
  layers: number;
  vocabulary: number;
}

const vocabulary = 128_256;

export const llamaModels = {
  '8B': { hidden: 4096, feedForward: 14_336, heads: 32, keyValueHeads: 8, layers: 32, vocabulary },
  '70B': { hidden: 8192, feedForward: 28_672, heads: 128, keyValueHeads: 8, layers: 80, vocabulary },
  '405B': { hidden: 16_384, feedForward: 53_248, heads: 128, keyValueHeads: 8, layers: 126, vocabulary },
  '1T': { hidden: 25_872, feedForward: 98_304, heads: 192, keyValueHeads: 32, layers: 128, vocabulary },
} as const satisfies Record<string, LlamaModel>;

/** Rows of the key matrix, and of the value matrix. The width of a head is a whole number, also where it is rounded. */
export function keyValueRows({ hidden, heads, keyValueHeads }: LlamaModel): number {
  return Math.floor(hidden / heads) * keyValueHeads;
}

/** bf16 weights, in the order of the model. */
export function llamaTensors(model: LlamaModel): WorkloadTensor[] {
  const { hidden, layers, vocabulary: words } = model;
  const weight = (name: string, ...shape: number[]): WorkloadTensor => ({
    name: `${name}.weight`,
    dtype: 'BF16',
    shape,
    group: 'model',
    bytes: elementsOf(shape) * 2,
  });
  const shapes = layerShapes(model);
  return [
    weight('model.embed_tokens', words, hidden),
    ...Array.from({ length: layers }, (_, layer) =>
      shapes.map(([name, ...shape]) => weight(`model.layers.${layer}.${name}`, ...shape)),
    ).flat(),
    weight('model.norm', hidden),
    weight('lm_head', words, hidden),
  ];
}

/** The two fp32 moments that Adam keeps for each weight. */
export function adamMoments(weights: readonly WorkloadTensor[]): WorkloadTensor[] {
  return weights.flatMap(({ name, shape }) =>
    ['exp_avg', 'exp_avg_sq'].map((moment): WorkloadTensor => {
      const bytes = elementsOf(shape) * 4;
      return { name: `${name}.${moment}`, dtype: 'F32', shape, group: 'optimizer', bytes };
    }),
  );
}

export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

function layerShapes(model: LlamaModel): [name: string, ...shape: number[]][] {
  const { hidden, feedForward } = model;
  return [
    ['self_attn.q_proj', hidden, hidden],
    ['self_attn.k_proj', keyValueRows(model), hidden],
    ['self_attn.v_proj', keyValueRows(model), hidden],
    ['self_attn.o_proj', hidden, hidden],
    ['mlp.gate_proj', feedForward, hidden],
    ['mlp.up_proj', feedForward, hidden],
    ['mlp.down_proj', hidden, feedForward],
    ['input_layernorm', hidden],
    ['post_attention_layernorm', hidden],
  ];
}
