import { adamStep, type Slot } from './adam.js';
import { batchTargets, nextPosition } from './corpus.js';
import { configuration, lossAndGradients, parameterShapes } from './model.js';
import { Random } from './random.js';
import type { Checkpoint, SaveRequest, Tensor } from 'snapshard';

const learningRate = 2e-3;
const seed = 2026;
const lossDecay = 0.9;

/** All that a run is: put back, it goes on bit for bit as it would have. */
export class Trainer {
  readonly #text: Uint8Array;
  readonly #random = new Random(seed);
  readonly #slots = new Map<string, Slot>();
  #step = 0;
  #position = 0;
  #loss = Number.NaN;

  constructor(text: Uint8Array) {
    this.#text = text;
    for (const [name, shape, bound] of parameterShapes) this.#slots.set(name, this.#initialSlot(shape, bound));
  }

  get step(): number {
    return this.#step;
  }

  /** Smoothed over the last steps or so, in nats a byte. */
  get loss(): number {
    return this.#loss;
  }

  get parameterCount(): number {
    return [...this.#slots.values()].reduce((sum, { weight }) => sum + weight.length, 0);
  }

  /** One step of training. `breathe` is awaited between its parts, so that the event loop comes to its turn. */
  async train(breathe: () => Promise<unknown>): Promise<void> {
    const batch = { text: this.#text, targets: batchTargets(this.#text, this.#position) };
    const { loss, gradients } = lossAndGradients((name) => this.#slot(name).weight, batch, this.#random);
    this.#step += 1;
    for (const [name, gradient] of gradients) {
      this.#slots.set(name, adamStep(this.#slot(name), gradient, learningRate, this.#step));
      await breathe();
    }
    this.#position = nextPosition(this.#position);
    this.#loss = this.#step === 1 ? loss : lossDecay * this.#loss + (1 - lossDecay) * loss;
  }

  /**
   * The checkpoint of this moment. It may be saved while training goes on, with no copy and no wait for `staged`: a
   * step puts new arrays in the place of the old ones and never writes into those that it handed out.
   */
  checkpoint(): SaveRequest {
    const state = { position: this.#position, random: this.#random.state, loss: this.#loss };
    return {
      step: this.#step,
      tensors: new Map(this.#tensors()),
      metadata: { ...state, seed, learningRate },
      files: { 'config.json': JSON.stringify(configuration, undefined, 2) },
    };
  }

  /** Puts back what {@link Trainer.checkpoint} gave. */
  async restore(checkpoint: Checkpoint): Promise<void> {
    const { position, random, loss } = checkpoint.metadata;
    const tensors = await checkpoint.readAll();
    const values = (name: string): Float32Array => new Float32Array(tensors.get(name)!.data.buffer);
    for (const [name] of parameterShapes) {
      const moments = { expAvg: values(`${name}.exp_avg`), expAvgSq: values(`${name}.exp_avg_sq`) };
      this.#slots.set(name, { weight: values(name), ...moments });
    }
    this.#random.restore(random as number[]);
    this.#step = checkpoint.step ?? 0;
    this.#position = position as number;
    this.#loss = loss as number;
  }

  *#tensors(): Generator<[string, Tensor]> {
    for (const [name, shape] of parameterShapes) {
      const { weight, expAvg, expAvgSq } = this.#slot(name);
      yield [name, { dtype: 'F32', shape, data: weight, group: 'model' }];
      yield [`${name}.exp_avg`, { dtype: 'F32', shape, data: expAvg, group: 'optimizer' }];
      yield [`${name}.exp_avg_sq`, { dtype: 'F32', shape, data: expAvgSq, group: 'optimizer' }];
    }
  }

  #initialSlot(shape: number[], bound: number): Slot {
    const length = shape.reduce((product, extent) => product * extent, 1);
    const weight = new Float32Array(length);
    for (let index = 0; index < length; index++) weight[index] = (2 * this.#random.uniform() - 1) * bound;
    return { weight, expAvg: new Float32Array(length), expAvgSq: new Float32Array(length) };
  }

  #slot(name: string): Slot {
    const slot = this.#slots.get(name);
    if (slot === undefined) throw new Error(`The model has no parameter ${name}.`);
    return slot;
  }
}
