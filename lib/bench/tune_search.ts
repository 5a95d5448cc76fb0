/** The search for the options that suit a target: axis after axis, each from the best so far, in rounds. */
import { choose, contenders, type Choice, type NoiseOf } from './tune_decide.js';
import { Noise } from './tune_noise.js';
import { MeasuredPoint, sameWriter, withCandidate, type Axis, type TuneSample, type Writer } from './tune_points.js';
import { shuffled } from './tune_shuffle.js';

/** Fewer rounds than these tell nothing: a median of two is a mean. */
export const roundsMin = 3;
export const confirmationAxis = 'confirmation';
export const defaultsAxis = 'defaults';

export interface SearchSettings {
  readonly axes: readonly Axis[];
  /** Rounds of each axis, and of the confirmation. At least {@link roundsMin}. */
  readonly repeat: number;
  /** Of the order within a round. */
  readonly seed: number;
  /** After which no round is begun that is not needed. */
  readonly limitSeconds: number;
  /** A clock, in milliseconds. */
  readonly now_ms: () => number;
  readonly measure: (trial: TuneTrial) => Promise<Omit<TuneSample, 'round'>>;
}

export interface TuneTrial {
  readonly point: MeasuredPoint;
  readonly round: number;
  /** Trials before this one, and how many it will be in the end at most. */
  readonly done: number;
  readonly most: number;
}

export interface AxisOutcome extends Choice {
  readonly axis: string;
  readonly points: readonly MeasuredPoint[];
  readonly incumbent: MeasuredPoint;
  /** The noise as it was known then. */
  readonly noise: NoiseOf;
}

/** The choice is `point`, which is `defaults` where nothing was confirmed. */
export interface Confirmation extends Choice {
  readonly defaults: MeasuredPoint;
  /** What the axes had led to. */
  readonly candidate: MeasuredPoint;
  readonly noise: NoiseOf;
}

export interface SearchResult {
  /** In the order measured. */
  readonly points: readonly MeasuredPoint[];
  readonly outcomes: readonly AxisOutcome[];
  /** Axes for which there was no time. */
  readonly skipped: readonly string[];
  /** Absent where nothing but the defaults was chosen, or time was up. */
  readonly confirmation?: Confirmation;
  readonly noise: NoiseOf;
  /** What differs from the defaults; nothing where these are right. */
  readonly chosen: Writer;
}

/**
 * Trials of a search at most: each value of each axis in each round, the defaults besides once they are not the best so
 * far, and the confirmation: of the defaults, of all that was chosen, and of that without each part of it.
 */
export function trialsMost(axes: readonly Axis[], repeat: number): number {
  return axes.length === 0 ? 0 : (roundsOfAxes(axes, 0) + confirmationMost(axes.length)) * repeat;
}

function roundsOfAxes(axes: readonly Axis[], from: number): number {
  return axes.reduce((sum, { candidates }, index) => sum + (index < from ? 0 : candidates.length + Math.min(index, 1)), 0);
}

function confirmationMost(changes: number): number {
  return changes < 2 ? 2 : 2 + changes;
}

/**
 * Measures axis after axis, the points of one in rounds of shuffled order, the best so far and the defaults in each
 * round; takes a value as {@link choose} says; then measures the choice against the defaults afresh, since what was
 * picked as the best of several was also lucky. What that does not confirm is not chosen, nor what is as good without.
 */
export async function search(settings: SearchSettings): Promise<SearchResult> {
  return new Search(settings).run();
}

class Search {
  readonly #defaults = new MeasuredPoint(defaultsAxis, 'defaults', {});
  readonly #points: MeasuredPoint[] = [this.#defaults];
  readonly #noise: NoiseOf = { rate: new Noise(), cpu: new Noise(), pause: new Noise() };
  readonly #started_ms: number;
  #best: Writer = {};
  #round = 0;
  #done = 0;
  #most: number;

  constructor(readonly settings: SearchSettings) {
    this.#started_ms = settings.now_ms();
    this.#most = trialsMost(settings.axes, settings.repeat);
  }

  async run(): Promise<SearchResult> {
    const outcomes: AxisOutcome[] = [];
    const skipped: string[] = [];
    for (const [index, axis] of this.settings.axes.entries()) {
      const outcome = await this.#sweep(axis);
      if (outcome === undefined) skipped.push(axis.name);
      else outcomes.push(outcome);
      this.#best = outcome?.point.writer ?? this.#best;
      const left = roundsOfAxes(this.settings.axes, index + 1) + confirmationMost(this.settings.axes.length);
      this.#most = this.#done + left * this.settings.repeat;
    }
    const confirmation = await this.#confirm();
    const chosen = confirmation?.point.writer ?? {};
    const result = { points: this.#points, outcomes, skipped, noise: this.#noise, chosen };
    return confirmation === undefined ? result : { ...result, confirmation };
  }

  async #sweep(axis: Axis): Promise<AxisOutcome | undefined> {
    const points = axis.candidates.map((candidate) => {
      return new MeasuredPoint(axis.name, candidate.label, withCandidate(this.#best, candidate));
    });
    const incumbent = points.find((point) => sameWriter(point.writer, this.#best));
    if (incumbent === undefined) throw new Error(`The axis ${axis.name} does not offer what is the best so far`);
    if (!this.#fits(roundsMin * points.length)) return undefined;
    this.#points.push(...points);
    const rounds = await this.#race(points, incumbent);
    if (rounds < roundsMin) return undefined;
    const noise = this.#learn(points);
    return { axis: axis.name, points, incumbent, noise, ...choose(whole(points, rounds), incumbent, noise) };
  }

  /** Rounds until there are enough, or time is up; whoever has lost drops out. Resolves to their number. */
  async #race(points: readonly MeasuredPoint[], incumbent: MeasuredPoint): Promise<number> {
    let running = points;
    for (let round = 0; round < this.settings.repeat; round++) {
      if (round >= roundsMin && !this.#fits(running.length)) return round;
      if (!(await this.#measureRound(running))) return round;
      if (round + 1 < roundsMin) continue;
      const before = running.length;
      running = contenders(running, [incumbent], this.#noiseWith(points));
      this.#most -= (before - running.length) * (this.settings.repeat - round - 1);
    }
    return this.settings.repeat;
  }

  /** The defaults are in each round: as one of these points, or besides. `false` where time is up, and far over. */
  async #measureRound(points: readonly MeasuredPoint[]): Promise<boolean> {
    const twin = points.find(({ writer }) => sameWriter(writer, {}));
    const round = this.#round++;
    for (const point of shuffled(twin === undefined ? [...points, this.#defaults] : points, this.settings.seed + round)) {
      if (this.#elapsedSeconds() > this.settings.limitSeconds * overrunMax) return false;
      const trial = { point, round, done: this.#done++, most: Math.max(this.#most, this.#done) };
      const sample = { ...(await this.settings.measure(trial)), round };
      point.samples.push(sample);
      if (point === twin) this.#defaults.samples.push(sample);
    }
    return true;
  }

  async #confirm(): Promise<Confirmation | undefined> {
    const best = this.#best;
    const names = Object.keys(best) as (keyof Writer)[];
    if (names.length === 0) return undefined;
    const point = (label: string, writer: Writer): MeasuredPoint => new MeasuredPoint(confirmationAxis, label, writer);
    const parts = names.length < 2 ? [] : names.map((name) => point(`without ${name}`, without(best, name)));
    const [defaults, candidate] = [point('defaults', {}), point('all that was chosen', best)];
    const points = [defaults, ...parts, candidate];
    this.#points.push(...points);
    this.#most = this.#done + points.length * this.settings.repeat;
    let rounds = 0;
    while (rounds < this.settings.repeat && (await this.#measureRound(points))) rounds++;
    if (rounds < roundsMin) return undefined;
    const noise = this.#learn(points);
    return { defaults, candidate, noise, ...choose(points, defaults, noise) };
  }

  #learn(points: readonly MeasuredPoint[]): NoiseOf {
    this.#noise.rate.add(points.map(({ rate }) => rate));
    this.#noise.cpu.add(points.map(({ cpu }) => cpu));
    this.#noise.pause.add(points.map(({ pause }) => pause));
    return this.#noiseWith([]);
  }

  #noiseWith(points: readonly MeasuredPoint[]): NoiseOf {
    return {
      rate: this.#noise.rate.with(points.map(({ rate }) => rate)),
      cpu: this.#noise.cpu.with(points.map(({ cpu }) => cpu)),
      pause: this.#noise.pause.with(points.map(({ pause }) => pause)),
    };
  }

  /** Whether so many more trials end in time, and then the confirmation. */
  #fits(trials: number): boolean {
    const perTrial = this.#done === 0 ? 0 : this.#elapsedSeconds() / this.#done;
    const needed = (trials + 1 + confirmationMost(1) * this.settings.repeat) * perTrial;
    return this.#elapsedSeconds() + needed <= this.settings.limitSeconds;
  }

  #elapsedSeconds(): number {
    return (this.settings.now_ms() - this.#started_ms) / 1000;
  }
}

function without(writer: Writer, name: keyof Writer): Writer {
  return Object.fromEntries(Object.entries(writer).filter(([key]) => key !== name));
}

/** Where a disk has become so slow that even what was begun in time takes far longer, it is left. */
const overrunMax = 1.25;

/** Those that were in every round: a point that had dropped out is no choice. */
function whole(points: readonly MeasuredPoint[], rounds: number): MeasuredPoint[] {
  return points.filter(({ samples }) => samples.length >= rounds);
}
