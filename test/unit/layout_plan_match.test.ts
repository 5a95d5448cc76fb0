import { describe, expect, it } from 'vitest';
import { buildPlan, planMatches } from '../../lib/layout/plan.js';
import { normalizeTensors } from '../../lib/tensor/normalize.js';
import type { Tensor, TensorSpec } from '../../lib/tensor/tensor.js';

const oneFile = { shardBytes: Infinity };
const normalize = (tensors: unknown) => normalizeTensors(tensors as never, () => undefined);
const u8 = (bytes: number, extra: object = {}): Tensor => ({
  ...({ dtype: 'U8', shape: [bytes], data: new Uint8Array(bytes) } as const),
  ...extra,
});

describe('planMatches', () => {
  const tensors = { a: u8(4), b: u8(5, { group: 'optimizer' }) };
  const { specs } = normalize(tensors);
  const kept = buildPlan(specs, oneFile);

  it('takes the same again, whatever the data', () => {
    expect(planMatches(kept, specs, oneFile)).toBe(true);
    expect(planMatches(kept, normalize({ a: u8(4), b: u8(5, { group: 'optimizer' }) }).specs, oneFile)).toBe(true);
  });

  it.each<[string, unknown]>([
    ['another name', { c: u8(4), b: u8(5, { group: 'optimizer' }) }],
    ['another shape', { a: u8(4, { shape: [2, 2] }), b: u8(5, { group: 'optimizer' }) }],
    ['another dtype', { a: u8(4, { dtype: 'BOOL' }), b: u8(5, { group: 'optimizer' }) }],
    ['another group', { a: u8(4), b: u8(5) }],
    ['another order', { b: u8(5, { group: 'optimizer' }), a: u8(4) }],
    ['one more', { a: u8(4), b: u8(5, { group: 'optimizer' }), c: u8(1) }],
    ['one less', { a: u8(4) }],
    ['a slice', { a: u8(4, { globalShape: [8], origin: [4] }), b: u8(5, { group: 'optimizer' }) }],
  ])('does not take %s', (_what, others) => {
    expect(planMatches(kept, normalize(others).specs, oneFile)).toBe(false);
  });

  it('tells slices apart by where they begin', () => {
    const at = (origin: number): TensorSpec[] => normalize({ a: u8(4, { globalShape: [8], origin: [origin] }) }).specs;
    const sliced = buildPlan(at(0), oneFile);
    expect(planMatches(sliced, at(0), oneFile)).toBe(true);
    expect(planMatches(sliced, at(4), oneFile)).toBe(false);
  });

  it('does not take other options', () => {
    expect(planMatches(kept, specs, { shardBytes: 4 })).toBe(false);
    expect(planMatches(kept, specs, { ...oneFile, rank: 0, worldSize: 2 })).toBe(false);
    const second = { ...oneFile, rank: 1, worldSize: 2 };
    const ofSecond = buildPlan(specs, second);
    expect(planMatches(ofSecond, specs, second)).toBe(true);
    expect(planMatches(ofSecond, specs, { ...second, rank: 0 })).toBe(false);
    expect(planMatches(ofSecond, specs, { ...second, worldSize: 3 })).toBe(false);
  });

  it('takes one rank of one for the default', () => {
    expect(planMatches(kept, specs, { ...oneFile, rank: 0, worldSize: 1 })).toBe(true);
  });

  it('tells tensors apart by the ranks that hold them', () => {
    const place = { rank: 1, worldSize: 4 };
    const held = (replicas?: 'all' | number[]): TensorSpec[] =>
      normalizeTensors({ a: u8(4, { replicas }) }, () => undefined, [], place).specs;
    const options = { ...oneFile, ...place };
    const sets = [undefined, 'all', [0, 1], [1, 2], [1, 2, 3]] as const;
    for (const [index, set] of sets.entries()) {
      const plan = buildPlan(held(set?.slice() as 'all'), options);
      const matches = sets.map((other) => planMatches(plan, held(other?.slice() as 'all'), options));
      expect(matches).toEqual(sets.map((_, other) => other === index));
    }
  });
});
