import { tellFailed } from './diagnostics.js';
import type { Outcome } from './outcome.js';

/** Failures kept for `close`; each has gone to the diagnostics channel besides. */
const keptMax = 100;

/** The failures of one writer's saves that nobody has taken up. */
export class UnheardFailures {
  readonly #root: string;
  #outcomes: Outcome[] = [];

  constructor(root: string) {
    this.#root = root;
  }

  /** Looks at a save that has ended. Its caller has until the next turn of the event loop before the channel tells. */
  add(step: number, outcome: Outcome): void {
    if (!outcome.unheard) return;
    this.#outcomes = [...this.#unheard(), outcome].slice(-keptMax);
    setImmediate(() => {
      if (outcome.unheard) tellFailed({ root: this.#root, step, error: outcome.failure });
    });
  }

  /** Throws the failure that is unheard to this day; an `AggregateError` where there are several. */
  throwIfAny(): void {
    const failures = this.#unheard().map((outcome) => outcome.failure);
    if (failures.length > 1) {
      throw new AggregateError(failures, `${failures.length} saves failed, and nobody had taken that up.`);
    }
    if (failures.length === 1) throw failures[0];
  }

  #unheard(): Outcome[] {
    return this.#outcomes.filter((outcome) => outcome.unheard);
  }
}
