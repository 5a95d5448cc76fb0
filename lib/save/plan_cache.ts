import { checkCoverage, checkOwnSlices } from '../layout/coverage.js';
import { buildPlan, planMatches, type Plan, type PlanOptions } from '../layout/plan.js';
import type { TensorSpec } from '../tensor/tensor.js';

/** A run saves one state over and over, now and then another one besides. */
const keptMax = 2;

/** Keeps the plans used last: the next save of the same tensors does not pay for its layout again. */
export class PlanCache {
  readonly #options: PlanOptions;
  #plans: Plan[] = [];

  constructor(options: PlanOptions) {
    this.#options = options;
  }

  /** What the plan used last was made from. */
  get lastSpecs(): readonly TensorSpec[] | undefined {
    return this.#plans[0]?.specs;
  }

  /** @throws {SnapshardError} what the layout refuses */
  planFor(specs: readonly TensorSpec[]): Plan {
    const plan = this.#plans.find((kept) => planMatches(kept, specs, this.#options)) ?? this.#build(specs);
    this.#plans = [plan, ...this.#plans.filter((kept) => kept !== plan)].slice(0, keptMax);
    return plan;
  }

  #build(specs: readonly TensorSpec[]): Plan {
    // Of a run of several ranks, no single one can tell whether something is missing.
    const { worldSize = 1 } = this.#options;
    if (worldSize > 1) checkOwnSlices(specs);
    else checkCoverage(specs);
    return buildPlan(specs, this.#options);
  }
}
