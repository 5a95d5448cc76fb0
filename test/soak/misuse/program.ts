import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Checkpoint, CheckpointWriter, CudaMemory, Save } from 'snapshard';
import { Dice } from './dice.js';
import { enchant, spoil } from './garbage.js';
import { Judge } from './judge.js';
import { anyMemory, type Memory } from './memory.js';

/** Bytes that a save was given, for as long as nobody changed them. */
export interface Expected {
  readonly digest: string;
  readonly tensors: ReadonlyMap<string, Buffer>;
}

export type Operation = (program: Program) => unknown;

const hooksMax = 3;

/** What one random program has in its hands. */
export class Program {
  readonly dice: Dice;
  readonly judge: Judge;
  readonly root: string;
  readonly scratch: string;
  readonly memories: Memory[] = [];
  readonly writers: CheckpointWriter[] = [];
  readonly checkpoints: Checkpoint[] = [];
  readonly saves: Save[] = [];
  readonly devices: CudaMemory[] = [];
  readonly controllers: AbortController[] = [];
  readonly workers: Promise<unknown>[] = [];
  readonly expected: Expected[] = [];
  /** Steps that were published, and that nobody asked to remove. */
  readonly kept = new Set<number>();
  /** Steps that a removal was asked for. */
  readonly removed = new Set<number>();
  /** That were opened. */
  ranks = 0;
  /** Nothing more is begun. */
  ending = false;
  #hooks = 0;

  constructor(
    readonly seed: number,
    folder: string,
    /** The first opens a writer, the second saves. */
    readonly operations: readonly (readonly [number, Operation])[],
    root = join(folder, `root-${seed}`),
  ) {
    this.dice = new Dice(seed);
    this.root = root;
    this.scratch = join(folder, `scratch-${seed}`);
    mkdirSync(this.root, { recursive: true });
    mkdirSync(this.scratch, { recursive: true });
    this.judge = new Judge(this.root);
    for (let count = 1 + this.dice.below(4); count > 0; count -= 1) this.memories.push(anyMemory(this.dice, this.scratch));
  }

  /** Does operations, with nothing, a turn or some time between them. */
  async run(): Promise<void> {
    await this.#begin();
    for (let left = 6 + this.dice.below(30); left > 0; left -= 1) {
      this.step();
      const pause = this.dice.below(16);
      if (pause < 5) await Promise.resolve();
      else if (pause < 9) await new Promise((resolve) => setImmediate(resolve));
      else if (pause < 11) await new Promise((resolve) => setTimeout(resolve, this.dice.below(6)));
      else if (pause < 12) await this.judge.quiet();
    }
  }

  /** Most have a writer, and what is published, to begin with. */
  async #begin(): Promise<void> {
    const [open, save] = this.operations.slice(0, 2).map(([, operation]) => operation);
    if (this.dice.chance(0.1)) return;
    open?.(this);
    await this.judge.quiet();
    if (this.dice.chance(0.4)) return;
    for (let count = this.dice.below(3); count >= 0; count -= 1) save?.(this);
    await this.judge.quiet();
  }

  step(): void {
    this.dice.weighted(this.operations)(this);
  }

  /** To be called from within the library's own calls: getters, iterators, callbacks. */
  hook(): void {
    if (this.ending || this.#hooks >= hooksMax || !this.dice.chance(0.4)) return;
    this.#hooks += 1;
    this.step();
    this.#hooks -= 1;
  }

  /**
   * Calls a method, some times with spoilt arguments.
   * @param mend what the arguments must not be for the machine's sake
   */
  invoke(
    ...[target, method, args, onValue, mend]: [
      ...[target: object, method: string, args: unknown[]],
      ...[onValue?: (value: unknown, spoilt: boolean) => void, mend?: (args: unknown[]) => void],
    ]
  ): void {
    const spoilt = this.dice.chance(0.3);
    if (spoilt) spoil(this.dice, args);
    mend?.(args);
    if (this.dice.chance(0.1)) enchant(this.dice, args, () => { this.hook(); });
    const called = Reflect.get(target, method) as (...args: unknown[]) => unknown;
    const again = this.dice.chance(0.1);
    this.judge.call(method, () => Reflect.apply(called, target, args), (value) => {
      onValue?.(value, spoilt);
      if (again) this.hook();
    });
  }

  /** A signal that is aborted at some time, with any reason; mostly none. */
  signal(): AbortSignal | undefined {
    if (this.dice.chance(0.7)) return undefined;
    const { dice } = this;
    const controller = new AbortController();
    const signal = dice.chance(0.1) ? AbortSignal.timeout(dice.below(5)) : controller.signal;
    this.controllers.push(controller);
    this.judge.expectAborts(signal);
    if (dice.chance(0.2)) signal.addEventListener('abort', () => { this.hook(); });
    const reason = dice.pick<unknown>([undefined, null, 5, 'enough', new Error('enough'), Symbol('enough')]);
    const abort = (): void => { controller.abort(reason); };
    const when = dice.below(6);
    if (when === 0) abort();
    else if (when === 1) queueMicrotask(abort);
    else if (when === 2) setImmediate(abort);
    else if (when < 5) setTimeout(abort, dice.below(10));
    return signal;
  }
}
