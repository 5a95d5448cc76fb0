import { describe, expect, it } from 'vitest';
import { PlanCache } from '../../lib/save/plan_cache.js';
import { normalizeTensors } from '../../lib/tensor/normalize.js';
import type { TensorSpec } from '../../lib/tensor/tensor.js';

const rows = (begin: number, end: number, extra: object = {}): object => ({
  ...{ dtype: 'U8', shape: [end - begin, 2], globalShape: [6, 2], origin: [begin, 0] },
  ...{ data: new Uint8Array((end - begin) * 2), ...extra },
});

const oneRank = { shardBytes: Infinity };
const secondOfTwo = { shardBytes: Infinity, rank: 1, worldSize: 2 };
const specsOf = (tensors: unknown): TensorSpec[] =>
  normalizeTensors(tensors as never, () => undefined, [], { rank: 1, worldSize: 2 }).specs;

describe('a cache of plans', () => {
  it('keeps the two plans used last', () => {
    const plans = new PlanCache(secondOfTwo);
    const [first, second, third] = [1, 2, 3].map((length) => specsOf({ w: new Uint8Array(length) }));
    const kept = plans.planFor(first!);
    expect(plans.planFor(specsOf({ w: new Uint8Array(1) }))).toBe(kept);
    plans.planFor(second!);
    expect(plans.planFor(first!)).toBe(kept);
    plans.planFor(second!);
    plans.planFor(third!);
    expect(plans.planFor(first!)).not.toBe(kept);
    expect(plans.lastSpecs).toBe(first);
  });

  it('wants all of a tensor from a single rank only', () => {
    const part = specsOf([
      ['w', rows(0, 2)],
      ['w', rows(3, 5)],
    ]);
    expect(new PlanCache(secondOfTwo).planFor(part).sliceSpecs).toHaveLength(2);
    expect(() => new PlanCache(oneRank).planFor(part)).toThrow(/"w" leave out \[2:3, 0:2\]/);
    const only = { ...oneRank, rank: 0, worldSize: 1 };
    expect(() => new PlanCache(only).planFor(part)).toThrow(/"w" leave out \[2:3, 0:2\]/);
  });

  it('refuses slices of one rank that overlap or disagree', () => {
    const plans = new PlanCache(secondOfTwo);
    const plan = (...slices: object[]) => plans.planFor(specsOf(slices.map((slice) => ['w', slice])));
    expect(() => plan(rows(0, 3), rows(2, 6))).toThrow(/"w" overlap at \[2:3, 0:2\].*no two may hold the same/);
    expect(() => plan(rows(0, 3, { replicas: 'all' }), rows(2, 6))).toThrow(/overlap/);
    expect(() => plan(rows(0, 3), rows(4, 6, { dtype: 'I8' }))).toThrow(/disagree on `dtype`: U8 and I8/);
    expect(() => plan(rows(0, 3), rows(4, 6, { group: 'ema' }))).toThrow(/disagree on `group`/);
    expect(() => plan(rows(0, 3), rows(4, 6, { globalShape: [7, 2] }))).toThrow(/disagree on `globalShape`/);
    expect(plan(rows(0, 3, { replicas: 'all' }), rows(3, 6, { replicas: [1, 0] })).worldSize).toBe(2);
  });
});
