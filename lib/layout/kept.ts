import type { Plan } from './plan.js';

/** Builds something of a plan once, however many saves ask, and keeps it as long as the plan. */
export function keptWithPlan<Value>(build: (plan: Plan) => Promise<Value>): (plan: Plan) => Promise<Value> {
  const kept = new WeakMap<Plan, Promise<Value>>();
  return (plan) => {
    const known = kept.get(plan);
    if (known !== undefined) return known;
    const value = build(plan);
    kept.set(plan, value);
    // A failure, for want of memory, is not kept: the next save may have more.
    value.catch(() => kept.delete(plan));
    return value;
  };
}
