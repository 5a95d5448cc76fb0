/**
 * A small language model over bytes: embeddings of the last eight bytes and of the hashed n-grams that end there,
 * one hidden layer, and a softmax over the next byte. Most of its weights are in the n-gram tables, which cost little
 * to use and much to save: just what a checkpointing example wants.
 */
import * as tf from '@tensorflow/tfjs';
import type { Random } from './random.js';

// Without this, tfjs prints an advertisement of its native backend.
tf.enableProdMode();

export interface Batch {
  text: Uint8Array;
  /** Where the bytes to predict stand in `text`. */
  targets: number[];
}

interface Table {
  name: string;
  rows: number;
  width: number;
  /** How many of the bytes before the target it looks at, and whether it hashes them all or takes the farthest. */
  reach: number;
  hashed: boolean;
}

const recentBytes = 8;
const ngramLengths = [2, 3, 4, 5, 6];
const vocabulary = 256;
const hidden = 256;
/** N-grams are left out at random, so that the model does not lean on those it has seen once. */
const ngramDropout = 0.1;

const tables: Table[] = [
  ...Array.from({ length: recentBytes }, (_, index) => {
    return { name: `embedding.byte_${index + 1}`, rows: vocabulary, width: 16, reach: index + 1, hashed: false };
  }),
  ...ngramLengths.map((length) => {
    return { name: `embedding.ngram_${length}`, rows: 32_768, width: 32, reach: length, hashed: true };
  }),
];
const features = tables.reduce((sum, table) => sum + table.width, 0);

/** Name, shape, and the bound of the uniform values it starts with. */
export const parameterShapes: [name: string, shape: number[], bound: number][] = [
  ...tables.map(({ name, rows, width }): [string, number[], number] => [name, [rows, width], 0.5]),
  ['hidden.weight', [features, hidden], Math.sqrt(3 / features)],
  ['hidden.bias', [hidden], 0],
  ['output.weight', [hidden, vocabulary], Math.sqrt(3 / hidden)],
  ['output.bias', [vocabulary], 0],
];

export const configuration = { architecture: 'hashed n-gram network', recentBytes, ngramLengths, vocabulary, hidden };

/** Mean loss of a batch in nats a byte, and the gradients, each made when it is asked for. */
export function lossAndGradients(
  weights: (name: string) => Float32Array,
  batch: Batch,
  random: Random,
): { loss: number; gradients: Iterable<[name: string, gradient: Float32Array]> } {
  const rows = tables.map((table) => lookUp(table, batch, random));
  const inputs = ['hidden.weight', 'hidden.bias', 'output.weight', 'output.bias'];
  const { value, grads } = tf.tidy(() => {
    const tensors = inputs.map((name) => tf.tensor(weights(name), shapeOf(name)));
    const target = tf.oneHot(tf.tensor1d(batch.targets.map((at) => batch.text[at]!), 'int32'), vocabulary);
    const embedded = tf.tensor2d(gather(weights, rows), [batch.targets.length, features]);
    return tf.valueAndGrads((...operands) => forward(operands, target))([embedded, ...tensors]);
  });
  const [embedded, ...dense] = grads.map((gradient) => gradient.dataSync<'float32'>());
  const loss = value.dataSync()[0]!;
  tf.dispose([value, grads]);
  return { loss, gradients: gradientsOf(rows, embedded!, inputs, dense) };
}

type Operands = [
  embedded: tf.Tensor,
  hiddenWeight: tf.Tensor,
  hiddenBias: tf.Tensor,
  outputWeight: tf.Tensor,
  outputBias: tf.Tensor,
];

function forward(operands: tf.Tensor[], target: tf.Tensor): tf.Scalar {
  const [embedded, hiddenWeight, hiddenBias, outputWeight, outputBias] = operands as Operands;
  const activation = embedded.matMul(hiddenWeight).add(hiddenBias).relu();
  const logits = activation.matMul(outputWeight).add(outputBias);
  return tf.losses.softmaxCrossEntropy(target, logits).asScalar();
}

function* gradientsOf(
  rows: Int32Array[],
  embedded: Float32Array,
  inputs: string[],
  dense: Float32Array[],
): Generator<[string, Float32Array]> {
  yield* inputs.map((name, index): [string, Float32Array] => [name, dense[index]!]);
  let column = 0;
  for (const [index, table] of tables.entries()) {
    yield [table.name, scatter(table, rows[index]!, embedded, column)];
    column += table.width;
  }
}

function shapeOf(name: string): number[] {
  return parameterShapes.find(([parameter]) => parameter === name)![1];
}

/** The row of `table` for each target; -1 where there is none. */
function lookUp(table: Table, { text, targets }: Batch, random: Random): Int32Array {
  return Int32Array.from(targets, (at) => {
    if (at < table.reach) return -1;
    if (!table.hashed) return text[at - table.reach]!;
    if (random.uniform() < ngramDropout) return -1;
    let hash = table.reach;
    for (let back = 1; back <= table.reach; back++) {
      hash = Math.imul(hash ^ text[at - back]!, 0x9e3779b1) ^ (hash >>> 15);
    }
    return (hash >>> 8) % table.rows;
  });
}

/** [targets, features]: each table's row, side by side. Own loops: tfjs's gradient of a gather takes seconds here. */
function gather(weights: (name: string) => Float32Array, rows: Int32Array[]): Float32Array {
  const embedded = new Float32Array(rows[0]!.length * features);
  let column = 0;
  for (const [index, { name, width }] of tables.entries()) {
    const table = weights(name);
    rows[index]!.forEach((row, target) => {
      if (row >= 0) embedded.set(table.subarray(row * width, (row + 1) * width), target * features + column);
    });
    column += width;
  }
  return embedded;
}

function scatter(table: Table, rows: Int32Array, embedded: Float32Array, column: number): Float32Array {
  const gradient = new Float32Array(table.rows * table.width);
  rows.forEach((row, target) => {
    if (row < 0) return;
    for (let index = 0; index < table.width; index++) {
      gradient[row * table.width + index]! += embedded[target * features + column + index]!;
    }
  });
  return gradient;
}
