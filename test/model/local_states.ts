import { createHash } from 'node:crypto';
import { RankRun, type Identity, type Input, type Program, type TimedInput, type View } from './rank_run.js';
import { isChange, type Answer, type Operation } from './tree.js';

/** How much is told apart: see `World`. */
export type Grain = 'fine' | 'coarse';

export interface PastRead {
  readonly operation: Operation;
  readonly answer: Answer;
}

/** Instances of real code that are kept, each where it stands. */
const keptMax = 3000;
const kept = new Set<LocalState>();

/**
 * What one process of a rank has been through so far. Its code is a function of that: it is run once for each history,
 * not once for each history of all ranks together.
 */
export class LocalState {
  static count = 0;
  /** Inputs fed to real code, with those that were fed again to come back to a state. */
  static feeds = 0;
  readonly id = LocalState.count++;
  readonly view: View;
  readonly moment: number;
  /** What the store told it since it last woke, the last answer to each question; not what it changed there. */
  readonly seen: readonly PastRead[];
  readonly #origin: Origin;
  readonly #parent: LocalState | undefined;
  readonly #step: TimedInput | undefined;
  readonly #children = new Map<string, LocalState>();
  /** All that it did and that was done to it, but for looks and their answers. */
  readonly #deeds: string;
  /** The last answer to each question. */
  readonly #answers: readonly PastRead[];
  #run: RankRun | undefined;
  #key: string | undefined;

  private constructor(origin: Origin, parent: LocalState | undefined, step: TimedInput | undefined, view: View) {
    this.#origin = origin;
    this.#parent = parent;
    this.#step = step;
    this.view = view;
    this.moment = step?.moment ?? origin.moment;
    const past = pastAfter(parent, step);
    this.seen = past.seen;
    this.#deeds = past.deeds;
    this.#answers = past.answers;
  }

  static async start(identity: Identity, program: Program, moment: number, grain: Grain): Promise<LocalState> {
    const origin = { identity, program, moment, grain, states: new Map<string, LocalState>() };
    const run = new RankRun(identity);
    const state = new LocalState(origin, undefined, undefined, await run.start(program, moment));
    state.#keep(run);
    return state;
  }

  /** Equal for states that behave in the same way from here on. */
  get key(): string {
    this.#key ??= this.view.ended ? JSON.stringify(this.view.reports) : String(this.id);
    return this.#key;
  }

  get past(): Past {
    return { seen: this.seen, answers: this.#answers, deeds: this.#deeds };
  }

  /** The state after an input, if it is known. */
  known(input: Input, moment: number): LocalState | undefined {
    return this.#children.get(keyOf(input, moment));
  }

  async next(input: Input, moment: number): Promise<LocalState> {
    const key = keyOf(input, moment);
    const known = this.#children.get(key);
    if (known !== undefined) return known;
    const step = { input, moment };
    const run = await this.#take();
    LocalState.feeds += 1;
    const child = new LocalState(this.#origin, this, step, await run.feed(step));
    child.#keep(run);
    const same = this.#origin.grain === 'coarse' ? child.#sameEssence() : child;
    this.#children.set(key, same);
    return same;
  }

  /** The first state that was met of those that are the same. */
  #sameEssence(): LocalState {
    const { states } = this.#origin;
    const essence = this.#essence();
    const first = states.get(essence) ?? this;
    states.set(essence, first);
    return first;
  }

  /** Equal for states that are taken for the same where the grain is coarse. */
  #essence(): string {
    return JSON.stringify([this.view, this.#deeds, this.#answers, this.seen]);
  }

  /** The instance that stands here, or another that is brought here. */
  async #take(): Promise<RankRun> {
    const here = this.#run;
    if (here !== undefined) {
      this.#run = undefined;
      kept.delete(this);
      return here;
    }
    const { identity, program, moment } = this.#origin;
    const run = new RankRun(identity);
    await run.start(program, moment);
    for (const state of this.#path()) {
      LocalState.feeds += 1;
      const view = await run.feed(state.#step!);
      if (JSON.stringify(view.operations) !== JSON.stringify(state.view.operations)) {
        throw new Error('The same history did not lead to the same state: something else than the model decides.');
      }
    }
    return run;
  }

  #path(): LocalState[] {
    return this.#parent === undefined ? [] : [...this.#parent.#path(), this];
  }

  #keep(run: RankRun): void {
    this.#run = run;
    kept.add(this);
    if (kept.size <= keptMax) return;
    const [oldest] = kept;
    if (oldest === undefined) return;
    oldest.#run = undefined;
    kept.delete(oldest);
  }
}

interface Origin {
  readonly identity: Identity;
  readonly program: Program;
  readonly moment: number;
  readonly grain: Grain;
  /** Those that were met, by what matters of them. */
  readonly states: Map<string, LocalState>;
}

function keyOf(input: Input, moment: number): string {
  return `${moment} ${JSON.stringify(input)}`;
}

interface Past {
  readonly seen: readonly PastRead[];
  readonly answers: readonly PastRead[];
  readonly deeds: string;
}

function pastAfter(parent: LocalState | undefined, step: TimedInput | undefined): Past {
  if (parent === undefined || step === undefined) return { seen: [], answers: [], deeds: '' };
  const { seen, answers, deeds } = parent.past;
  const { input } = step;
  const [operation] = parent.view.operations;
  // One that is woken in the middle of a look does not begin another.
  if (input.kind === 'woken') return { seen: operation === undefined ? [] : seen, answers, deeds };
  const read = input.kind === 'answer' && operation !== undefined ? { operation, answer: input.answer } : undefined;
  if (read !== undefined && (!isChange(read.operation) || 'errno' in read.answer)) {
    return { seen: latest(seen, read), answers: latest(answers, read), deeds };
  }
  const deed = `${JSON.stringify(operation)} ${keyOf(input, step.moment)}`;
  return { seen, answers, deeds: createHash('md5').update(deeds + deed).digest('hex') };
}

function latest(reads: readonly PastRead[], read: PastRead): readonly PastRead[] {
  const key = JSON.stringify(read.operation);
  const others = reads.filter((past) => JSON.stringify(past.operation) !== key);
  return [...others, read].sort((left, right) => (JSON.stringify(left) < JSON.stringify(right) ? -1 : 1));
}
