import assert from 'node:assert/strict';
import { openFiles } from '../../support/process_state.js';
import type { Dice } from '../misuse/dice.js';
import { faultsOf, type FaultPlan } from './faults.js';
import { expectNames } from './judge.js';
import type { Came, Stretch } from './phase.js';
import { textOf, type Fault, type Refusal } from './refusal.js';
import type { Scene } from './scene.js';
import type { Unit } from './units.js';

/** How trials ended. */
export interface Tally {
  /** By call: how often each was refused, and what came of it. */
  readonly calls: Record<string, { refused: number; failed: number; codes: Record<string, number> }>;
  /** Those whose time did not come. */
  missed: number;
}

const hang_ms = 90_000;
const patience_ms = 10_000;
/** Looks at what is held that may differ for a moment. */
const look_ms = 10;
/** The counts of calls depend on how threads meet: what was not seen in so many runs is not refused. */
const recordings = 3;
/** Heap that is not given back, at most: blocks for the whole of a unit, and for each trial. */
const slack = { blocks: 150, blocksPerTrial: 0.25 };

/** Puts one unit to its faults, one trial after the other. */
export class Trials {
  readonly tally: Tally = { calls: {}, missed: 0 };
  readonly #unit: Unit;
  readonly #scene: Scene;
  readonly #refusal: Refusal;
  readonly #onTrial: (text: string) => Promise<void>;

  constructor(unit: Unit, scene: Scene, refusal: Refusal, onTrial: (text: string) => Promise<void>) {
    this.#unit = unit;
    this.#scene = scene;
    this.#refusal = refusal;
    this.#onTrial = onTrial;
  }

  /** @param only in place of what is planned */
  async run(dice: Dice, plan: FaultPlan, only?: readonly Fault[]): Promise<void> {
    const counts = await this.#record(only === undefined ? recordings : 1);
    const faults = only ?? faultsOf(this.#unit, counts, dice, plan);
    const before = await this.#allocations();
    for (const fault of faults) await this.#try(fault);
    const lost = (await this.#allocations()) - before;
    const most = slack.blocks + slack.blocksPerTrial * faults.length;
    assert(lost <= most, `${lost} blocks of the heap were not given back in ${faults.length} trials.`);
  }

  /** How often the phase makes each call. */
  async #record(runs: number): Promise<Map<string, number>> {
    const most = new Map<string, number>();
    for (let run = 0; run < runs; run += 1) {
      const stretch = await this.#unit.phase.prepare(this.#scene);
      this.#refusal.watch();
      const came = await settled(stretch.run());
      for (const [call, count] of this.#refusal.counts()) most.set(call, Math.max(count, most.get(call) ?? 0));
      const none = { call: 'close', nth: 0, error: 'EIO', on: false };
      if ('failure' in came) (stretch.judge ?? rethrow)(came.failure, none);
      await stretch.check(came, none);
      await stretch.end();
    }
    return most;
  }

  async #try(fault: Fault): Promise<void> {
    const text = `${this.#unit.setting.name}, ${this.#unit.phase.name}: ${textOf(fault)}`;
    await this.#onTrial(text);
    try {
      const before = this.#held();
      const work = this.#tryOnce(fault);
      await inTime(work);
      await this.#expectNoMore(before);
    } catch (error) {
      throw new Error(`${text}\n${error instanceof Error ? error.stack : String(error)}`, { cause: error });
    } finally {
      this.#refusal.allow();
    }
  }

  async #tryOnce(fault: Fault): Promise<void> {
    const stretch = await this.#unit.phase.prepare(this.#scene);
    this.#refusal.refuse(fault);
    const came = await settled(stretch.run());
    const refused = this.#refusal.allow();
    this.#judge(stretch, came, fault, refused);
    await stretch.check(came, fault);
    await stretch.end();
    this.#count(came, fault, refused);
  }

  #judge(stretch: Stretch, came: Came, fault: Fault, refused: number): void {
    if (!('failure' in came)) return;
    if (stretch.judge !== undefined) stretch.judge(came.failure, fault);
    else if (refused === 0) throw came.failure;
    else expectNames(came.failure, fault, stretch.roots);
  }

  #count(came: Came, { call }: Fault, refused: number): void {
    if (refused === 0) {
      this.tally.missed += 1;
      return;
    }
    const entry = (this.tally.calls[call] ??= { refused: 0, failed: 0, codes: {} });
    entry.refused += 1;
    if (!('failure' in came)) return;
    entry.failed += 1;
    const { code } = came.failure as { code?: string };
    const name = code ?? (came.failure as Error).constructor.name;
    entry.codes[name] = (entry.codes[name] ?? 0) + 1;
  }

  #held(): { files: string[]; mappedBytes: number } {
    return { files: openFiles().sort(), mappedBytes: this.#refusal.held().mappedBytes };
  }

  /** Descriptors and mappings go a little after what they were of. */
  async #expectNoMore(before: { files: string[]; mappedBytes: number }): Promise<void> {
    const started_ms = performance.now();
    for (;;) {
      const now = this.#held();
      const more = now.files.length > before.files.length || now.mappedBytes > before.mappedBytes;
      if (!more) return;
      if (performance.now() - started_ms > patience_ms) assert.deepEqual(now, before, 'More is held than before.');
      globalThis.gc?.();
      await new Promise((resolve) => setTimeout(resolve, look_ms));
    }
  }

  /** Once what JavaScript has let go of is collected. */
  async #allocations(): Promise<number> {
    let least = Infinity;
    for (let look = 0; look < 5; look += 1) {
      globalThis.gc?.();
      await new Promise((resolve) => setTimeout(resolve, look_ms));
      least = Math.min(least, this.#refusal.held().allocations);
    }
    return least;
  }
}

function rethrow(error: unknown): never {
  throw error;
}

async function settled(work: Promise<unknown>): Promise<Came> {
  try {
    return { value: await work };
  } catch (failure) {
    return { failure };
  }
}

async function inTime(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => { reject(new Error('It hangs.')); }, hang_ms);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
