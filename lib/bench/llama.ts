/**
 * Checkpoints shaped like those that people really write: the Llama 3 family with the sizes of the MLPerf Storage
 * checkpoint workload, as Hugging Face names and shapes, and numbers that look like weights and Adam moments.
 */

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

export interface TensorShape {
  name: string;
  dtype: 'BF16' | 'F32';
  shape: number[];
  group: 'model' | 'optimizer';
  elements: number;
  bytes: number;
}

/** Which part of a model one rank holds. */
export interface RankCut {
  /** Each rank holds this many-th part of every tensor's rows. Default 1. */
  ranks?: number;
  /** Layers kept, at most the model's; the embeddings lose rows in proportion. Default all. */
  layers?: number;
}

/** bf16 weights of one rank, in the order of the model. Rows that do not divide evenly are rounded up. */
export function llamaTensors(model: LlamaModel, cut: RankCut = {}): TensorShape[] {
  const { ranks = 1, layers = model.layers } = cut;
  const rowsOf = (rows: number): number => Math.ceil(rows / ranks);
  const vocabularyRows = Math.ceil((model.vocabulary * layers) / model.layers / ranks);
  const weight = (name: string, rows: number, columns?: number): TensorShape =>
    tensorShape(`${name}.weight`, 'BF16', columns === undefined ? [rows] : [rows, columns], 'model');

  const tensors = [weight('model.embed_tokens', vocabularyRows, model.hidden)];
  for (let layer = 0; layer < layers; layer++) {
    for (const [name, rows, columns] of layerShapes(model)) {
      tensors.push(weight(`model.layers.${layer}.${name}`, rowsOf(rows), columns));
    }
  }
  tensors.push(weight('model.norm', rowsOf(model.hidden)));
  tensors.push(weight('lm_head', vocabularyRows, model.hidden));
  return tensors;
}

/** The two fp32 moments that Adam keeps for each weight. */
export function adamMoments(weights: TensorShape[]): TensorShape[] {
  return weights.flatMap(({ name, shape }) =>
    ['exp_avg', 'exp_avg_sq'].map((moment) => tensorShape(`${name}.${moment}`, 'F32', shape, 'optimizer')),
  );
}

function layerShapes(model: LlamaModel): [name: string, rows: number, columns?: number][] {
  const { hidden, feedForward } = model;
  const keyValueRows = (hidden / model.heads) * model.keyValueHeads;
  return [
    ['self_attn.q_proj', hidden, hidden],
    ['self_attn.k_proj', keyValueRows, hidden],
    ['self_attn.v_proj', keyValueRows, hidden],
    ['self_attn.o_proj', hidden, hidden],
    ['mlp.gate_proj', feedForward, hidden],
    ['mlp.up_proj', feedForward, hidden],
    ['mlp.down_proj', hidden, feedForward],
    ['input_layernorm', hidden],
    ['post_attention_layernorm', hidden],
  ];
}

function tensorShape(
  name: string,
  dtype: TensorShape['dtype'],
  shape: number[],
  group: TensorShape['group'],
): TensorShape {
  const elements = shape.reduce((product, extent) => product * extent, 1);
  return { name, dtype, shape, group, elements, bytes: elements * (dtype === 'BF16' ? 2 : 4) };
}

const tableEntries = 1 << 16;
const weightDeviation = 0.02;
const gradientDeviation = 1e-3;

const normals = lazily(normalTable);
const weightTable = lazily(() => Uint16Array.from(floatBits(normals().map((x) => x * weightDeviation)), toBfloat16));
const momentTable = lazily(() => floatBits(normals().map((x) => x * gradientDeviation)));
const squareTable = lazily(() => floatBits(normals().map((x) => (x * gradientDeviation) ** 2)));

/**
 * Fills `target` with bf16 bits of normal values, each drawn for itself: as hard to compress as weights are.
 * The same seed gives the same values.
 */
export function drawWeights(target: Uint16Array, seed: number): void {
  const table = weightTable();
  let state = seedState(seed);
  let index = 0;
  for (const end = target.length - 1; index < end; index += 2) {
    state = nextState(state);
    target[index] = table[state & 0xffff]!;
    target[index + 1] = table[state >>> 16]!;
  }
  if (index < target.length) target[index] = table[nextState(state) & 0xffff]!;
}

/**
 * Fills `target` with fp32 values like Adam's moments: normal ones, or their squares. The low mantissa bits are random,
 * as they are in life. The same seed gives the same values.
 */
export function drawMoments(target: Float32Array, seed: number, squared: boolean): void {
  const table = squared ? squareTable() : momentTable();
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
  let state = seedState(seed);
  for (let index = 0; index < bits.length; index++) {
    state = nextState(state);
    bits[index] = table[state & 0xffff]! ^ (state >>> 16);
  }
}

/** Xorshift, which nearly keeps up with memory. Zero is its fixed point, so no seed maps to it. */
function nextState(state: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  return state ^ (state << 5);
}

function seedState(seed: number): number {
  return Math.imul(seed + 1, 0x9e3779b1) | 1;
}

function normalTable(): Float32Array {
  const table = new Float32Array(tableEntries);
  let state = seedState(0);
  const uniform = (): number => {
    state = nextState(state);
    return ((state >>> 0) + 0.5) / 2 ** 32;
  };
  for (let index = 0; index < table.length; index++) {
    table[index] = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  }
  return table;
}

function floatBits(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

/** Round to nearest, ties to even. Never given a NaN here. */
function toBfloat16(bits: number): number {
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

function lazily<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}
