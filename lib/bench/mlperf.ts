/**
 * What each rank writes in the checkpoint workload of MLPerf Storage 2.0, tensor by tensor.
 *
 * The models and the way they are split: MLPerf Storage Benchmark Rules, version 2.0, table 2
 * (`Submission_guidelines.md` of https://github.com/mlcommons/storage). The tensors: DLIO, which the benchmark runs
 * (`dlio_benchmark/checkpointing/base_checkpointing.py` of https://github.com/argonne-lcf/dlio_benchmark): query, key
 * and value are one matrix, and so are the two halves of the gated unit; matrices are split over the tensor-parallel
 * ranks and norms are not; ZeRO stage 3 splits each of those again, flat, over the data-parallel ranks, while with
 * stage 1 only the first data-parallel rank writes the model. Ranks count tensor-parallel ones first, then pipeline
 * stages.
 *
 * The optimizer's state of a rank is three times (the fp32 weights, Adam's two moments) a flat share of
 * `floor(parameters / ranks)` elements and a second group of `5 · hidden` elements, however the model is split:
 * `3 · 4 · (floor(parameters / ranks) + 5 · hidden)` bytes. A head is `floor(hidden / heads)` wide.
 *
 * DLIO numbers its tensors; here they have the names of Megatron-DeepSpeed. Its fp16 is bf16 here, as in Llama 3.
 */
import { sumBytes } from './cut.js';
import { elementsOf, keyValueRows, llamaModels, type LlamaModel } from './llama.js';
import type { WorkloadTensor } from './workload.js';

export type MlperfModel = keyof typeof llamaModels;

interface Split {
  tensorParallel: number;
  pipelineStages: number;
  dataParallel: number;
  zeroStage: 1 | 3;
}

const splits: Record<MlperfModel, Split> = {
  '8B': { tensorParallel: 1, pipelineStages: 1, dataParallel: 8, zeroStage: 3 },
  '70B': { tensorParallel: 8, pipelineStages: 1, dataParallel: 8, zeroStage: 3 },
  '405B': { tensorParallel: 8, pipelineStages: 32, dataParallel: 2, zeroStage: 1 },
  '1T': { tensorParallel: 8, pipelineStages: 64, dataParallel: 2, zeroStage: 1 },
};

export function mlperfRanks(model: MlperfModel): number {
  const { tensorParallel, pipelineStages, dataParallel } = splits[model];
  return tensorParallel * pipelineStages * dataParallel;
}

/** Of those that write most: the embedding or the head makes it the first stage or the last one. */
export function mlperfLargestBytes(model: MlperfModel): number {
  const { tensorParallel, pipelineStages } = splits[model];
  return Math.max(...[0, tensorParallel * pipelineStages - 1].map((rank) => sumBytes(mlperfTensors(model, rank))));
}

/** No two ranks have a name in common. */
export function mlperfTensors(name: MlperfModel, rank: number): WorkloadTensor[] {
  const model: LlamaModel = llamaModels[name];
  const split = splits[name];
  const replica = split.tensorParallel * split.pipelineStages;
  const dataRank = Math.floor(rank / replica);
  const prefix = `zero_pp_rank_${dataRank}_mp_rank_${String(rank % replica).padStart(2, '0')}`;
  const writesModel = split.zeroStage === 3 || dataRank === 0;
  return [
    ...(writesModel ? modelTensors(model, split, Math.floor(rank / split.tensorParallel) % split.pipelineStages) : []),
    ...optimizerTensors(model, mlperfRanks(name)),
  ].map((tensor) => ({ ...tensor, name: `${prefix}.${tensor.name}` }));
}

/** Layers are dealt evenly, the first stages get what is left over; embedding and head lie at the two ends. */
function modelTensors(model: LlamaModel, split: Split, stage: number): WorkloadTensor[] {
  const { tensorParallel, pipelineStages } = split;
  const { hidden } = model;
  const share = Math.floor(model.layers / pipelineStages);
  const larger = model.layers % pipelineStages;
  const first = stage * share + Math.min(stage, larger);
  const layers = share + (stage < larger ? 1 : 0);
  const words = model.vocabulary / tensorParallel;
  const weight = (name: string, ...shape: number[]): WorkloadTensor => modelTensor(name, shape, split);
  return [
    ...(stage === 0 ? [weight('word_embeddings.weight', words, hidden)] : []),
    ...Array.from({ length: layers }, (_, index) =>
      layerShapes(model, tensorParallel).map(([name, ...shape]) => weight(`layers.${first + index}.${name}`, ...shape)),
    ).flat(),
    ...(stage === pipelineStages - 1 ? [weight('lm_head.weight', words, hidden), weight('norm.weight', hidden)] : []),
  ];
}

function layerShapes(model: LlamaModel, ways: number): [name: string, ...shape: number[]][] {
  const { hidden, feedForward } = model;
  return [
    ['input_layernorm.weight', hidden],
    ['self_attention.query_key_value.weight', (hidden + 2 * keyValueRows(model)) / ways, hidden],
    ['self_attention.dense.weight', hidden, hidden / ways],
    ['post_attention_layernorm.weight', hidden],
    ['mlp.dense_h_to_4h.weight', (2 * feedForward) / ways, hidden],
    ['mlp.dense_4h_to_h.weight', hidden, feedForward / ways],
  ];
}

function modelTensor(name: string, whole: number[], { zeroStage, dataParallel }: Split): WorkloadTensor {
  const shape = zeroStage === 3 ? [elementsOf(whole) / dataParallel] : whole;
  return { name, dtype: 'BF16', shape, group: 'model', bytes: elementsOf(shape) * 2 };
}

function optimizerTensors(model: LlamaModel, ranks: number): WorkloadTensor[] {
  const groups = [Math.floor(parametersOf(model) / ranks), 5 * model.hidden];
  const nameOf = (part: string, index: number): string =>
    part === 'fp32' ? `fp32_flat_groups.${index}` : `optimizer.state.${index}.${part}`;
  return ['fp32', 'exp_avg', 'exp_avg_sq'].flatMap((part) =>
    groups.map((elements, index): WorkloadTensor => {
      return { name: nameOf(part, index), dtype: 'F32', shape: [elements], group: 'optimizer', bytes: elements * 4 };
    }),
  );
}

function parametersOf(model: LlamaModel): number {
  const { hidden, layers, vocabulary } = model;
  const layer = layerShapes(model, 1).reduce((sum, [, ...shape]) => sum + elementsOf(shape), 0);
  return 2 * vocabulary * hidden + layers * layer + hidden;
}
