/** What a sweep measures, point by point. */
import type { PerformanceOptions } from '../options/performance.js';
import type { Cells } from './tune_noise.js';

/** Options that differ from the defaults. */
export type Writer = Partial<PerformanceOptions>;

export interface TuneSample {
  readonly round: number;
  readonly bytes: number;
  /** Until durable and published. */
  readonly seconds: number;
  /** Until the tensors may change again. */
  readonly pauseSeconds?: number | undefined;
  readonly cpuSeconds: number;
}

/** A value that an axis offers. */
export interface Candidate {
  readonly label: string;
  /** `undefined` takes the default. */
  readonly change: { readonly [Name in keyof PerformanceOptions]?: PerformanceOptions[Name] | undefined };
}

export interface Axis {
  readonly name: string;
  /** Cheapest first. */
  readonly candidates: readonly Candidate[];
}

export class MeasuredPoint {
  readonly samples: TuneSample[] = [];

  constructor(
    readonly axis: string,
    readonly label: string,
    readonly writer: Writer,
  ) {}

  /** Logarithm of bytes per second. */
  get rate(): Cells {
    return this.#cells(({ bytes, seconds }) => bytes / seconds);
  }

  /** Logarithm of processor seconds per byte. */
  get cpu(): Cells {
    return this.#cells(({ cpuSeconds, bytes }) => cpuSeconds / bytes);
  }

  /** Logarithm of seconds. */
  get pause(): Cells {
    return this.#cells(({ pauseSeconds = 0 }) => pauseSeconds);
  }

  /** What is 0 was not measured, or is too short to tell. */
  #cells(valueOf: (sample: TuneSample) => number): Cells {
    const measured = this.samples.filter((sample) => valueOf(sample) > 0);
    return new Map(measured.map((sample) => [sample.round, Math.log(valueOf(sample))]));
  }
}

/** The options so far with a candidate's; what is as by default is left out. */
export function withCandidate(writer: Writer, { change }: Candidate): Writer {
  const merged = Object.entries({ ...writer, ...change }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(merged);
}

export function sameWriter(left: Writer, right: Writer): boolean {
  const text = (writer: Writer): string => JSON.stringify(Object.entries(writer).sort());
  return text(left) === text(right);
}
