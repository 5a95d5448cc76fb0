import { XXHash128 } from 'xxhash-addon';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { buildIndex } from '../../lib/layout/hf_index.js';
import { type Plan, buildPlan } from '../../lib/layout/plan.js';
import { type RankResult, fillRankManifest } from '../../lib/layout/rank_manifest.js';
import { normalizeTensors } from '../../lib/tensor/normalize.js';
import { patternBytes } from './tensor_arbitraries.js';

const plan = (tensors: unknown, shardBytes = Infinity): Plan =>
  buildPlan(normalizeTensors(tensors as never, () => undefined).specs, { shardBytes });

const digest = (bytes: Uint8Array): string => XXHash128.hash(Buffer.from(bytes)).toString('hex');
const listed = (name: string) => ({ name, bytes: 7, digest: digest(Buffer.from(name)) });

const resultOf = (planned: Plan, seed: number): RankResult => ({
  writer: `writer${seed}`,
  sliceDigests: patternBytes(planned.order.length * 16, seed),
  fileDigests: patternBytes(planned.files.length * 16, seed + 1),
  step: 1000 + seed,
  save: `save${seed}`,
  worldSize: 1,
  sideFiles: [listed('config.json')],
  digests: listed('ranks/00000.digests'),
});

const fill = (planned: Plan, result: RankResult): Promise<Uint8Array> => fillRankManifest(planned, result, digest);

const hexOf = (digests: Uint8Array, index: number) =>
  Buffer.from(digests.subarray(index * 16, index * 16 + 16)).toString('hex');

const parse = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));

const u8 = (bytes: number, extra: object = {}) => ({
  dtype: 'U8',
  shape: [bytes],
  data: new Uint8Array(bytes),
  ...extra,
});

const manyTensors = Array.from({ length: 100_000 }, (_, index) => [`layers.${index}.😀`, u8(index % 3)]);

afterEach(() => {
  vi.restoreAllMocks();
});

/** How often the event loop came round before `work` was done, where every look at the clock finds a slice of time gone. */
async function turnsDuring(start: () => Promise<unknown>): Promise<number> {
  let now_ms = performance.now();
  vi.spyOn(performance, 'now').mockImplementation(() => (now_ms += 20));
  let turns = 0;
  let done = false;
  const count = (): void => {
    turns += 1;
    if (!done) setImmediate(count);
  };
  setImmediate(count);
  await start();
  done = true;
  return turns;
}

describe('a rank manifest', () => {
  it('lists files and tensors with their digests', async () => {
    const planned = plan({ b: u8(5, { shape: [1, 5] }), a: u8(4096), 'ß"': u8(0, { group: 'optimizer' }) });
    const result = resultOf(planned, 3);
    const bytes = await fill(planned, result);
    const tensor = { dtype: 'U8', origin: [0] };
    expect(parse(bytes)).toEqual({
      ...{ format: 'snapshard.rank', version: '1.0', rank: 0, writer: 'writer3' },
      files: [
        {
          name: 'model-00001-of-00001.safetensors',
          bytes: 4096 + 4101,
          headerBytes: 4096,
          group: 'model',
          digest: hexOf(result.fileDigests, 0),
        },
        {
          name: 'optimizer-00001-of-00001.safetensors',
          bytes: 4096,
          headerBytes: 4096,
          group: 'optimizer',
          digest: hexOf(result.fileDigests, 1),
        },
      ],
      tensors: [
        {
          name: 'a',
          ...tensor,
          globalShape: [4096],
          shape: [4096],
          file: 0,
          range: [4096, 8192],
          digest: hexOf(result.sliceDigests, 0),
        },
        {
          name: 'b',
          ...tensor,
          globalShape: [1, 5],
          origin: [0, 0],
          shape: [1, 5],
          file: 0,
          range: [8192, 8197],
          digest: hexOf(result.sliceDigests, 1),
        },
        {
          name: 'ß"',
          ...tensor,
          globalShape: [0],
          shape: [0],
          file: 1,
          range: [4096, 4096],
          digest: hexOf(result.sliceDigests, 2),
        },
      ],
      ...{ step: 1003, save: 'save3', worldSize: 1 },
      sideFiles: [listed('config.json')],
      digests: listed('ranks/00000.digests'),
      digest: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
    });
  });

  it('ends in the digest of all that is before it, whatever its length, save after save', async () => {
    const planned = plan({ a: u8(3) });
    for (const sideFiles of [0, 1, 200, 3, 400]) {
      const names = Array.from({ length: sideFiles }, (_, index) => listed(`ß${index}`.repeat(20)));
      const bytes = await fill(planned, { ...resultOf(planned, 1), sideFiles: names });
      expect(parse(bytes)).toMatchObject({ sideFiles: names, digest: digest(bytes.subarray(0, -46)) });
      const ending = Buffer.from(bytes.subarray(-46)).toString();
      expect(ending).toMatch(/^,"digest":"[0-9a-f]{32}"}\n$/);
    }
  });

  it('tells slices from wholes', async () => {
    const half = (origin: number) => ['w', u8(4, { globalShape: [8], origin: [origin] })];
    const planned = plan([half(4), half(0)]);
    const { tensors } = parse(await fill(planned, resultOf(planned, 1))) as { tensors: object[] };
    expect(tensors).toMatchObject([
      { name: 'w', globalShape: [8], origin: [0], shape: [4], file: 0, range: [4096, 4100] },
      { name: 'w', globalShape: [8], origin: [4], shape: [4], file: 1, range: [4096, 4100] },
    ]);
  });

  it('lists nothing where there is nothing', async () => {
    expect(parse(await fill(plan({}), resultOf(plan({}), 1)))).toMatchObject({ files: [], tensors: [] });
  });

  it('is filled anew for every save, also for several at once', async () => {
    const planned = plan(new Map(manyTensors.slice(0, 5000) as never), 100);
    const seeds = [1, 2, 3];
    const filled = await Promise.all(seeds.map((seed) => fill(planned, resultOf(planned, seed))));
    filled[0]!.fill(0);
    for (const seed of [2, 3]) {
      const result = resultOf(planned, seed);
      const { writer, files, tensors } = parse(filled[seed - 1]!) as Record<string, { digest: string }[]>;
      expect(writer).toBe(`writer${seed}`);
      expect(files!.map(({ digest }) => digest)).toEqual(
        planned.files.map((_, index) => hexOf(result.fileDigests, index)),
      );
      const digests = Array.from(planned.order, (_, index) => hexOf(result.sliceDigests, index));
      expect(tensors!.map(({ digest }) => digest)).toEqual(digests);
    }
  });

  it('gives way to the event loop, and keeps count of 100,000 tensors', async () => {
    const planned = plan(new Map(manyTensors as never));
    const result = resultOf(planned, 4);
    const firstTurns = await turnsDuring(() => fill(planned, result));
    const nextTurns = await turnsDuring(() => fill(planned, result));
    expect(nextTurns).toBeGreaterThan(20);
    expect(firstTurns).toBeGreaterThan(nextTurns + 100_000 / 256 - 5);
    const { tensors } = parse(await fill(planned, result)) as {
      tensors: { name: string; range: number[]; digest: string }[];
    };
    expect(tensors).toHaveLength(100_000);
    for (const index of [0, 1, 49_999, 99_999]) {
      const spec = planned.specs[planned.order[index]!]!;
      expect(tensors[index]).toMatchObject({ name: spec.name, digest: hexOf(result.sliceDigests, index) });
      expect(tensors[index]!.range[0]).toBe(planned.sliceOffsets[index]);
    }
  });

  it('keeps the digests of xxHash as they are printed', async () => {
    const planned = plan({ a: u8(3) });
    const abc = XXHash128.hash(Buffer.from('abc'));
    const bytes = await fill(planned, { ...resultOf(planned, 1), sliceDigests: abc, fileDigests: abc });
    expect(Buffer.from(bytes).toString()).toContain(`"digest":"${abc.toString('hex')}"`);
  });
});

describe('the Hugging Face index', () => {
  it('maps the tensors of the model to their files', async () => {
    const planned = plan({ b: u8(6), a: u8(5), 'ß"': u8(0), m: u8(100, { group: 'optimizer' }) }, 6);
    const index = await buildIndex(planned);
    expect(index!.path).toBe('model.safetensors.index.json');
    expect(parse(index!.bytes)).toEqual({
      metadata: { total_size: 11 },
      weight_map: {
        'ß"': 'model-00001-of-00002.safetensors',
        a: 'model-00001-of-00002.safetensors',
        b: 'model-00002-of-00002.safetensors',
      },
    });
    expect(await buildIndex(planned)).toBe(index);
  });

  it('is there only for whole tensors of the model', async () => {
    expect(await buildIndex(plan({}))).toBeUndefined();
    expect(await buildIndex(plan({ m: u8(1, { group: 'optimizer' }) }))).toBeUndefined();
    expect(await buildIndex(plan({ m: u8(1, { globalShape: [2], origin: [0] }) }))).toBeUndefined();
  });

  it('gives way to the event loop, and keeps count of 100,000 tensors', async () => {
    const planned = plan(new Map(manyTensors as never));
    expect(await turnsDuring(() => buildIndex(planned))).toBeGreaterThan(100_000 / 256);
    const { weight_map } = parse((await buildIndex(planned))!.bytes) as { weight_map: object };
    expect(Object.keys(weight_map)).toHaveLength(100_000);
  });
});
