import { describe, expect, it } from 'vitest';
import { cutTensors } from '../../lib/bench/cut.js';
import { adamMoments, llamaModels, llamaTensors } from '../../lib/bench/llama.js';
import { mlperfLargestBytes } from '../../lib/bench/mlperf.js';
import { describeWorkload, workloadTensors, type WorkloadSpec, type WorkloadTensor } from '../../lib/bench/workload.js';
import { dtypeBits } from '../../lib/tensor/dtype.js';
import { validateTensorName } from '../../lib/tensor/name.js';

const GiB = 2 ** 30;
const MiB = 2 ** 20;

/**
 * As MLPerf Storage publishes them; bytes are exact, GiB to the digits that are given. Of the model in GiB: the ranks
 * that write it, with the least and the most.
 */
const published = [
  { model: '8B', ranks: 8, gibibytes: 104.7, optimizerBytes: 12_045_637_632, writers: 8, least: 1.87, most: 1.87 },
  { model: '70B', ranks: 64, gibibytes: 911.21, optimizerBytes: 13_103_482_368, writers: 64, least: 2.03, most: 2.03 },
  {
    model: '405B',
    ranks: 512,
    gibibytes: 5292.25,
    optimizerBytes: 9_513_171_840,
    writers: 256,
    least: 2.23,
    most: 3.46,
  },
  {
    model: '1T',
    ranks: 1024,
    gibibytes: 15_426.59,
    optimizerBytes: 13_865_244_924,
    writers: 512,
    least: 4.28,
    most: 5.05,
  },
] as const;

const sum = (tensors: readonly WorkloadTensor[]): number => tensors.reduce((total, { bytes }) => total + bytes, 0);
const ofGroup = (tensors: readonly WorkloadTensor[], group: string): WorkloadTensor[] =>
  tensors.filter((tensor) => tensor.group === group);

function expectRight(tensors: readonly WorkloadTensor[]): void {
  for (const { name } of tensors) validateTensorName(name);
  const wrong = tensors.filter(({ dtype, shape, bytes }) => {
    const bits = shape.reduce((product, extent) => product * extent, dtypeBits[dtype]);
    return !shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0) || bits / 8 !== bytes;
  });
  expect(wrong).toEqual([]);
  expect(new Set(tensors.map(({ name }) => name)).size).toBe(tensors.length);
}

describe.each(published)('MLPerf Storage, $model', ({ model, ranks, gibibytes, optimizerBytes, ...writing }) => {
  const spec = { kind: 'mlperf', model, ranks, seed: 1 } as const;
  const all = Array.from({ length: ranks }, (_, rank) => workloadTensors(spec, rank));

  it('has the size that is published, in all and of the optimizer of each rank, to the byte', () => {
    expect((sum(all.flat()) / GiB).toFixed(2)).toBe(gibibytes.toFixed(2));
    expect(new Set(all.map((tensors) => sum(ofGroup(tensors, 'optimizer'))))).toEqual(new Set([optimizerBytes]));
  });

  it('has the model on as many ranks as are published, and as much of it', () => {
    const sizes = all.map((tensors) => sum(ofGroup(tensors, 'model'))).filter((bytes) => bytes > 0);
    expect(sizes).toHaveLength(writing.writers);
    expect((Math.min(...sizes) / GiB).toFixed(2)).toBe(writing.least.toFixed(2));
    expect((Math.max(...sizes) / GiB).toFixed(2)).toBe(writing.most.toFixed(2));
  });

  it('is made of tensors that can be saved together, and the largest rank is known', () => {
    expectRight(all.flat());
    expect(Math.max(...all.map(sum))).toBe(mlperfLargestBytes(model));
  });

  it('has each layer once on each tensor-parallel rank', () => {
    const layers = all.flat().filter(({ name }) => name.endsWith('mlp.dense_4h_to_h.weight'));
    const counts = new Map<string, number>();
    for (const { name } of layers) {
      const layer = /layers\.(\d+)\./.exec(name)![1]!;
      counts.set(layer, (counts.get(layer) ?? 0) + 1);
    }
    expect(counts.size).toBe(llamaModels[model].layers);
    expect(new Set(counts.values())).toEqual(new Set([layers.length / counts.size]));
  });
});

describe('Llama 3 as Hugging Face names it', () => {
  it.each([
    ['8B', 8_030_261_248],
    ['70B', 69_882_617_856],
    ['405B', 405_853_388_800],
  ] as const)('%s has the parameters that it should', (model, parameters) => {
    const weights = llamaTensors(llamaModels[model]);
    expectRight([...weights, ...adamMoments(weights)]);
    expect(sum(weights)).toBe(2 * parameters);
    expect(sum(adamMoments(weights))).toBe(8 * parameters);
  });
});

describe('a cut', () => {
  const whole: WorkloadSpec = { kind: 'mlperf', model: '8B', ranks: 1, seed: 1 };
  const shares = (spec: WorkloadSpec): number[] => {
    const { bytes, mix } = describeWorkload(spec);
    return mix.map((part) => part.bytes / bytes);
  };

  it.each([8 * GiB, 4 * GiB, GiB, 256 * MiB, 64 * MiB])(
    'to %i bytes has as many, and its groups their shares',
    (bytes) => {
      const spec = { ...whole, bytes };
      const described = describeWorkload(spec);
      expect(described.bytes).toBeLessThanOrEqual(bytes);
      expect(described.bytes).toBeGreaterThan(bytes - 8 * 1024);
      for (const [index, share] of shares(spec).entries()) expect(share).toBeCloseTo(shares(whole)[index]!, 3);
      expectRight(workloadTensors(spec, 0));
    },
  );

  it('of 4 GiB of an 8B rank has large and tiny tensors of both groups, and embedding, layers and head', () => {
    const tensors = workloadTensors({ ...whole, bytes: 4 * GiB }, 0);
    for (const group of ['model', 'optimizer']) {
      const sizes = ofGroup(tensors, group).map(({ bytes }) => bytes);
      expect(Math.max(...sizes)).toBeGreaterThan(group === 'model' ? 8 * MiB : GiB);
      expect(Math.min(...sizes)).toBeLessThan(32 * 1024);
    }
    for (const part of ['word_embeddings', 'layers.0.', 'layers.9.', 'lm_head', 'norm.weight', 'exp_avg_sq']) {
      expect(tensors.some(({ name }) => name.includes(part))).toBe(true);
    }
  });

  it.each(['8B', '70B', '405B', '1T'] as const)('of %s to a fraction keeps the proportions between ranks', (model) => {
    const cut: WorkloadSpec = { kind: 'mlperf', model, ranks: 8, seed: 1, fraction: 0.01 };
    const uncut: WorkloadSpec = { kind: 'mlperf', model, ranks: 8, seed: 1 };
    for (let rank = 0; rank < 8; rank++) {
      expect(sum(workloadTensors(cut, rank)) / sum(workloadTensors(uncut, rank))).toBeCloseTo(0.01, 4);
    }
  });

  it('keeps scalars, empty tensors and whole bytes of narrow elements', () => {
    const tensors: WorkloadTensor[] = [
      { name: 'step', dtype: 'I64', shape: [], group: 'optimizer', bytes: 8 },
      { name: 'nothing', dtype: 'F32', shape: [0, 7], group: 'model', bytes: 0 },
      { name: 'narrow', dtype: 'F4', shape: [1000, 3], group: 'model', bytes: 1500 },
      { name: 'odd', dtype: 'F6_E2M3', shape: [400, 1], group: 'model', bytes: 300 },
    ];
    const cut = cutTensors(tensors, 0.25);
    expectRight(cut);
    expect(cut.slice(0, 2)).toEqual(tensors.slice(0, 2));
    expect(sum(cut)).toBeLessThanOrEqual(452);
    expect(sum(cut)).toBeGreaterThan(440);
  });

  it('that leaves no row of some tensor, or is more than there is, says how much there must be', () => {
    const invalid = { code: 'ERR_SNAPSHARD_INVALID_ARGUMENT' };
    expect(() => workloadTensors({ ...whole, bytes: 1024 }, 0)).toThrow(
      expect.objectContaining({
        ...invalid,
        message: expect.stringMatching(/to 1\.00 KiB: .* KiB\. Give more/) as string,
      }),
    );
    expect(() => workloadTensors({ ...whole, bytes: 100 * GiB }, 0)).toThrow(
      expect.objectContaining({ ...invalid, message: expect.stringContaining('13.09 GiB') as string }),
    );
  });
});

describe('other workloads', () => {
  const like = (shares: WorkloadTensor[][], ranks: number): WorkloadSpec => {
    return { kind: 'like', path: '/checkpoint', shares, ranks, seed: 1 };
  };
  const tensor = (name: string): WorkloadTensor => ({ name, dtype: 'U8', shape: [5], group: 'model', bytes: 5 });

  it('of a number of tensors have just so many, and so many bytes', () => {
    for (const [count, bytes] of [
      [1, 2],
      [7, 1000],
      [64, 2 ** 32],
      [100_000, 1e9 + 2],
    ] as const) {
      const tensors = workloadTensors({ kind: 'tensors', count, bytes, ranks: 1, seed: 1 }, 0);
      expectRight(tensors);
      expect([tensors.length, sum(tensors)]).toEqual([count, bytes]);
      expect(
        Math.max(...tensors.map((one) => one.bytes)) - Math.min(...tensors.map((one) => one.bytes)),
      ).toBeLessThanOrEqual(2);
    }
  });

  it('of several ranks have no name in common', () => {
    const even: WorkloadSpec = { kind: 'tensors', count: 3, bytes: 600, ranks: 4, seed: 1 };
    for (const spec of [even, like([[tensor('a')], [tensor('a'), tensor('b')]], 4)]) {
      expectRight(Array.from({ length: 4 }, (_, rank) => workloadTensors(spec, rank)).flat());
    }
  });

  it('like a checkpoint give each rank what one of its ranks had, over and over', () => {
    const spec = like([[tensor('a')], [tensor('b'), tensor('c')]], 3);
    const names = [0, 1, 2].map((rank) => workloadTensors(spec, rank).map(({ name }) => name));
    expect(names).toEqual([['rank0.a'], ['rank1.b', 'rank1.c'], ['rank2.a']]);
    expect(workloadTensors({ ...spec, ranks: 1 }, 0)).toEqual([tensor('a')]);
  });

  it('are described in one line, and by group and dtype', () => {
    expect(describeWorkload({ kind: 'mlperf', model: '8B', ranks: 1, seed: 3, bytes: 4 * GiB })).toMatchObject({
      label: 'Llama 3 8B as in MLPerf Storage, rank 0 of 8, cut to 4.00 GiB',
      seed: 3,
      ranks: 1,
    });
    const labels: [WorkloadSpec, string][] = [
      [
        { kind: 'mlperf', model: '1T', ranks: 4, seed: 1, fraction: 0.125 },
        '1T as in MLPerf Storage, ranks 0 to 3 of 1024, cut to 12.5 %',
      ],
      [{ kind: 'tensors', count: 1, bytes: 2048, ranks: 1, seed: 1 }, '1 tensor of 2.00 KiB in all'],
      [
        { kind: 'tensors', count: 9, bytes: 2048, ranks: 2, seed: 1 },
        '9 tensors of 2.00 KiB in all on each of 2 ranks',
      ],
      [like([[tensor('a')]], 1), 'shapes of /checkpoint'],
      [like([[tensor('a')], []], 1), 'shapes of /checkpoint, rank 0 of 2'],
    ];
    for (const [spec, label] of labels) expect(describeWorkload(spec).label).toBe(label);
    const two = [tensor('a'), { ...tensor('b'), group: 'optimizer' }, tensor('c')];
    expect(describeWorkload(like([two], 2))).toMatchObject({
      bytes: 30,
      tensors: 6,
      mix: [
        { group: 'model', dtype: 'U8', tensors: 4, bytes: 20 },
        { group: 'optimizer', dtype: 'U8', tensors: 2, bytes: 10 },
      ],
    });
  });

  it.each<[Partial<WorkloadSpec>, number, RegExp]>([
    [{ ranks: 9 }, 0, /8B .* has 8 ranks, fewer than the 9 asked for/],
    [{ ranks: 0 }, 0, /whole number of ranks but received 0/],
    [{ ranks: 2 }, 2, /no rank 2 of 2/],
    [{ fraction: 0 }, 0, /above 0 and at most 1 but received 0/],
    [{ fraction: 1.5 }, 0, /above 0 and at most 1 but received 1\.5/],
    [{ bytes: 0.5 }, 0, /positive whole number but received 0\.5/],
    [{ bytes: 2 ** 30, fraction: 0.5 }, 0, /bytes or to a fraction, not both/],
    [{ kind: 'tensors', count: 0, bytes: 8 }, 0, /one tensor or more/],
    [{ kind: 'tensors', count: 5, bytes: 8 }, 0, /2 bytes or more each, but received 5 of 8 bytes/],
  ])('that cannot be are refused: %o, rank %i', (change, rank, message) => {
    const spec = { kind: 'mlperf', model: '8B', ranks: 1, seed: 1, ...change } as WorkloadSpec;
    const refused = expect.objectContaining({
      code: 'ERR_SNAPSHARD_INVALID_ARGUMENT',
      message: expect.stringMatching(message) as string,
    }) as Error;
    expect(() => workloadTensors(spec, rank)).toThrow(refused);
  });
});
