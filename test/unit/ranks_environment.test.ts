import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { SnapshardError } from '../../lib/errors.js';
import { resolveRank } from '../../lib/ranks/environment.js';
import { launchers } from '../../lib/ranks/launchers.js';
import { accepted, kubernetes, mpich, openMpi4, refused, slurm, torchrun } from './ranks_launches.js';

const failureOf = (act: () => unknown): SnapshardError => {
  try {
    act();
  } catch (error) {
    if (error instanceof SnapshardError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

describe('which rank this process is', () => {
  it.each(accepted)('$what', ({ options = {}, environment, resolved, severalHosts = false }) => {
    expect(resolveRank(options, environment)).toMatchObject({ ...resolved, severalHosts });
  });

  it('says who said it', () => {
    expect(resolveRank({}, {}).source).toBe('no launcher');
    expect(resolveRank({}, torchrun).source).toBe('torchrun');
    expect(resolveRank({ rank: 5 }, slurm).source).toBe('the options and Slurm');
    expect(resolveRank({ rank: 5, worldSize: 8 }, slurm).source).toBe('the options');
  });

  it.each(refused)('refuses $what', ({ options = {}, environment, code = 'INVALID_ARGUMENT', says }) => {
    const failure = failureOf(() => resolveRank(options, environment));
    expect(failure.code).toBe(`ERR_SNAPSHARD_${code}`);
    for (const part of says) expect(failure.message).toContain(part);
  });

  it('reads the environment of the process where none is given', () => {
    const names = launchers.flatMap(({ rank, worldSize }) => [rank, worldSize ?? rank]);
    expect(names.filter((name) => process.env[name] !== undefined)).toEqual([]);
    vi.stubEnv('PMI_RANK', '1');
    vi.stubEnv('PMI_SIZE', '3');
    try {
      expect(resolveRank({ runId: 'mine' })).toMatchObject({ rank: 1, worldSize: 3 });
    } finally {
      vi.unstubAllEnvs();
    }
  });
});

describe('options given in full', () => {
  const variables = [...new Set([torchrun, openMpi4, mpich, slurm, kubernetes].flatMap(Object.keys))];
  const environments = fc.dictionary(
    fc.constantFrom(...variables),
    fc.oneof(fc.nat({ max: 20 }).map(String), fc.constantFrom('', 'none', '-1', 'x', '4294967290')),
  );
  const worlds = fc
    .integer({ min: 1, max: 99_999 })
    .chain((worldSize) => fc.record({ rank: fc.nat({ max: worldSize - 1 }), worldSize: fc.constant(worldSize) }));
  const runIds = fc.string({ minLength: 1, maxLength: 1000 });

  it('make the environment irrelevant', () => {
    fc.assert(
      fc.property(worlds, runIds, environments, (world, runId, environment) => {
        const options = { ...world, runId };
        const expected = { ...options, severalHosts: false, source: 'the options' };
        expect(resolveRank(options, environment)).toEqual(expected);
      }),
    );
  });

  it('settle rank and world size, whatever the environment says of them', () => {
    fc.assert(
      fc.property(worlds, environments, (world, environment) => {
        const withId = { ...environment, TORCHELASTIC_RUN_ID: 'llama', RANK: 'x' };
        expect(resolveRank(world, withId)).toMatchObject({ ...world, severalHosts: false });
      }),
    );
  });
});
