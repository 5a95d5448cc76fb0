import { removeCheckpoint, type CheckpointWriter, type Published, type Save, type SaveRequest } from 'snapshard';
import { showProgress } from '../progress.js';

/** Newest checkpoints of the run that stay on disk. */
export const checkpointsKept = 2;

/** Saves in the background, one after the other, and removes old checkpoints once newer ones are durable. */
export class Checkpoints {
  readonly published: Published[] = [];
  readonly #writer: CheckpointWriter;
  readonly #root: string;
  #work: Promise<void> = Promise.resolve();
  #busy = false;

  constructor(writer: CheckpointWriter, root: string) {
    this.#writer = writer;
    this.#root = root;
  }

  get busy(): boolean {
    return this.#busy;
  }

  /** Begins a save and returns; `report` is called when it is published. A failure comes out of the next `settled`. */
  start(request: SaveRequest, signal: AbortSignal, report: (published: Published) => void): void {
    const save = this.#writer.save(request, { signal });
    this.#busy = true;
    this.#work = this.#finish(save, request.step, report).finally(() => {
      this.#busy = false;
    });
    // Until `settled` takes it up, a failure must not end the process.
    this.#work.catch(() => undefined);
  }

  /** Waits for the save under way, if any. */
  async settled(): Promise<void> {
    await this.#work;
  }

  async #finish(save: Save, step: number, report: (published: Published) => void): Promise<void> {
    await showProgress(save, `step ${step}`);
    const published = await save;
    this.published.push(published);
    const old = this.published.at(-1 - checkpointsKept);
    if (old !== undefined) await removeCheckpoint(this.#root, old.step);
    report(published);
  }
}
