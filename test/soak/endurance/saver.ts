import { CheckpointWriter, removeCheckpoint, type Lease, type Save } from 'snapshard';
import type { Dice } from '../misuse/dice.js';
import { anotherWriter, rankedSaves, removeAllBut, restore, workerSaves, writing } from './others.js';
import type { State } from './state.js';

/** Checkpoints that stay. */
export const kept = 2;

type Way = 'published' | 'aborted' | 'failed' | 'refused';

/** Of twenty saves, three do not go well. */
const ways: readonly Way[] = Array.from({ length: 20 }, (_, index) => {
  const odd: Readonly<Record<number, Way>> = { 7: 'aborted', 13: 'failed', 17: 'refused' };
  return odd[index] ?? 'published';
});

/** Saves in one root, in every way, and keeps no more than the last two. */
export class Saver {
  /** How often each end was seen. */
  readonly ends: Record<string, number> = { published: 0 };
  readonly #steps: number[] = [];
  #writer: CheckpointWriter | undefined;
  #calls = 0;

  constructor(
    readonly dice: Dice,
    readonly root: string,
    /** For what is saved elsewhere. */
    readonly folder: string,
    readonly state: State,
  ) {}

  async next(): Promise<void> {
    this.#calls += 1;
    await this.#saveOne(ways[this.#calls % ways.length]!);
    while (this.#steps.length > kept) await removeCheckpoint(this.root, this.#steps.shift()!);
    await this.#beside();
  }

  async close(): Promise<void> {
    await this.#writer?.close();
    this.#writer = undefined;
  }

  /** At the first save all of it, so that what it takes for good is taken early. */
  async #beside(): Promise<void> {
    const { dice, root, folder } = this;
    const due = (every: number): boolean => this.#calls === 1 || this.#calls % every === 0;
    if (due(10)) await this.#count('restored', restore(dice, root));
    if (due(50)) await this.#count('saved by another writer', anotherWriter(dice, root));
    if (due(100)) await this.#count('saved by two ranks', rankedSaves(dice, folder));
    if (due(200)) await this.#count('saved by a worker', workerSaves(dice, folder));
    if (!due(500)) return;
    await this.close();
    await removeAllBut(root, kept);
  }

  async #count(what: string, done: Promise<unknown>): Promise<void> {
    await done;
    this.ends[what] = (this.ends[what] ?? 0) + 1;
  }

  async #saveOne(way: Way): Promise<void> {
    this.#writer ??= await CheckpointWriter.open(this.root, writing);
    const leases: Lease[] = [];
    const controller = new AbortController();
    const doomed = new Uint8Array(50_000);
    const tensors = { ...this.state.tensors(this.dice, this.#writer, leases), doomed };
    const step = way === 'refused' ? this.#steps.at(-1) ?? 0 : this.#calls;
    const request = { step, tensors, files: { 'config.json': '{}' }, inPlace: this.dice.chance(0.2) };
    const save = this.#writer.save(request, { signal: controller.signal });
    if (way === 'aborted') setTimeout(() => { controller.abort(); }, this.dice.below(10));
    if (way === 'failed') structuredClone(doomed, { transfer: [doomed.buffer] });
    if (this.dice.chance(0.5)) for (const lease of leases) lease.dispose();
    await this.#end(save, way, step);
  }

  /** A save that was to be interrupted may be done before. */
  async #end(save: Save, way: Way, step: number): Promise<void> {
    if (this.dice.chance(0.1)) for await (const _ of save.progress()) await Promise.resolve();
    try {
      await save;
    } catch (error) {
      if (way === 'published') throw error;
      await this.#count(way, Promise.resolve());
      return;
    }
    if (way === 'refused') throw new Error(`Step ${step} was there, and was replaced.`);
    this.#steps.push(step);
    await this.#count('published', Promise.resolve());
  }
}
