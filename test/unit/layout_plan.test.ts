import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Plan, buildPlan } from '../../lib/layout/plan.js';
import { orderSegments } from '../../lib/layout/segments.js';
import { dtypeBits } from '../../lib/tensor/dtype.js';
import { normalizeTensors } from '../../lib/tensor/normalize.js';
import type { SourceTable } from '../../lib/tensor/source.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { checkHeader } from './layout_checker.js';
import { boundaryBytes, patternBytes, tensorMap } from './tensor_arbitraries.js';

const oneFile = { shardBytes: Infinity };
const normalize = (tensors: unknown) => normalizeTensors(tensors as never, () => undefined);
const plan = (tensors: unknown, shardBytes = Infinity): Plan => buildPlan(normalize(tensors).specs, { shardBytes });
const u8 = (bytes: number, extra: object = {}): Tensor => ({
  dtype: 'U8',
  shape: [bytes],
  data: patternBytes(bytes, 1),
  ...extra,
});

/** What makes a plan, leaving aside in which order its tensors came. */
const layout = ({ files, fileSlices, sliceBytes, sliceOffsets, bytes, order, specs }: Plan) => ({
  files: files.map((file) => ({ ...file, header: Buffer.from(file.header).toString() })),
  ...{ fileSlices, sliceBytes, sliceOffsets, bytes },
  names: [...order].map((input) => specs[input]!.name),
});

/** The files that native would write: headers, then segments in their order. */
function writeFiles(planned: Plan, sources: SourceTable): Uint8Array[] {
  const { segmentBytes, segmentSource, segmentOffset } = orderSegments(planned, sources);
  let next = 0;
  return planned.files.map(({ header, bytes }) => {
    const file = new Uint8Array(bytes);
    file.set(header);
    for (let position = header.length; position < bytes; next += 1) {
      const source = sources.sources[segmentSource[next]!] as ArrayBuffer;
      file.set(new Uint8Array(source, segmentOffset[next], segmentBytes[next]), position);
      position += segmentBytes[next]!;
    }
    return file;
  });
}

function shuffled<Item>(items: readonly Item[], seed: number): Item[] {
  const key = (index: number) => (Math.imul(index + 1, 2654435761) ^ Math.imul(seed + 1, 40503)) >>> 0;
  return items
    .map((item, index) => ({ item, key: key(index) }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

describe('a plan', () => {
  it('makes files that a strict reader takes, with every tensor once and whole', () => {
    fc.assert(
      fc.property(tensorMap, fc.constantFrom(1, 100, 4096, 10_000, Infinity), (tensors, shardBytes) => {
        const { specs, sources } = normalize(tensors);
        const planned = buildPlan(specs, { shardBytes });
        const files = writeFiles(planned, sources);
        const seen = planned.files.flatMap(({ group, path }, index) => {
          const { metadata, tensors: found } = checkHeader(files[index]!, files[index]!.length);
          expect(metadata).toEqual({ format: 'pt' });
          expect(found.length).toBeGreaterThan(0);
          const data = found.reduce((sum, { begin, end }) => sum + end - begin, 0);
          expect(data <= shardBytes || found.filter(({ begin, end }) => end > begin).length === 1).toBe(true);
          expect(path.startsWith(`${group}-`)).toBe(true);
          for (const { name, dtype, shape, begin, end } of found) {
            const tensor = tensors.get(name)!;
            expect([dtype, shape, tensor.group]).toEqual([tensor.dtype, tensor.shape, group]);
            expect(Buffer.from(tensor.data as Uint8Array).equals(files[index]!.subarray(begin, end))).toBe(true);
          }
          return found.map(({ name }) => name);
        });
        expect(seen.sort()).toEqual([...tensors.keys()].sort());
        expect(planned.bytes).toBe(files.reduce((sum, { length }) => sum + length, 0));
      }),
    );
  });

  it('does not depend on the order of the input', () => {
    fc.assert(
      fc.property(tensorMap, fc.nat(1000), fc.constantFrom(500, Infinity), (tensors, seed, shardBytes) => {
        expect(layout(plan(new Map(shuffled([...tensors], seed)), shardBytes))).toEqual(
          layout(plan(tensors, shardBytes)),
        );
      }),
    );
  });

  it('begins every tensor at a multiple of its width, and page-sized ones at a page', () => {
    fc.assert(
      fc.property(tensorMap, (tensors) => {
        const { order, specs, sliceOffsets, sliceBytes } = plan(tensors);
        for (const [slice, input] of order.entries()) {
          const width = dtypeBits[specs[input]!.dtype];
          const alignment = sliceBytes[slice]! % 4096 === 0 ? 4096 : width % 8 === 0 ? width / 8 : 1;
          expect(sliceOffsets[slice]! % alignment).toBe(0);
        }
      }),
    );
  });

  it('orders aligned tensors first, then the wide, then by name', () => {
    const tensors = {
      ...{ z: u8(4096), y: u8(1), b: { dtype: 'BF16', shape: [1], data: new Uint8Array(2) } },
      ...{ a: new Float32Array(1), c: new Float64Array(1), A: new Float32Array(1), e: u8(0), d: u8(8192) },
      f: { dtype: 'F4', shape: [2], data: new Uint8Array(1) },
    };
    const { order, specs } = plan(tensors);
    expect([...order].map((input) => specs[input]!.name)).toEqual(['d', 'e', 'z', 'c', 'A', 'a', 'b', 'y', 'f']);
  });

  it('names files by group, numbered from 1', () => {
    const tensors = {
      a: u8(10),
      b: u8(10),
      c: u8(10),
      m: u8(10, { group: 'optimizer' }),
      n: u8(30, { group: 'ema' }),
    };
    expect(plan(tensors, 20).files.map(({ path, group, sliceCount }) => [path, group, sliceCount])).toEqual([
      ['ema-00001-of-00001.safetensors', 'ema', 1],
      ['model-00001-of-00002.safetensors', 'model', 2],
      ['model-00002-of-00002.safetensors', 'model', 1],
      ['optimizer-00001-of-00001.safetensors', 'optimizer', 1],
    ]);
  });

  it.each(boundaryBytes)('fills shards up to shardBytes and no further (%i)', (bytes) => {
    const tensors = { a: u8(bytes), b: u8(bytes), c: u8(bytes) };
    expect([...plan(tensors, 2 * bytes || 1).fileSlices]).toEqual(bytes === 0 ? [3] : [2, 1]);
    expect([...plan(tensors, Math.max(1, 2 * bytes - 1)).fileSlices]).toEqual(bytes === 0 ? [3] : [1, 1, 1]);
    expect([...plan(tensors).fileSlices]).toEqual([3]);
  });

  it('gives a tensor larger than shardBytes a file of its own', () => {
    expect([...plan({ a: u8(3), b: u8(100), c: u8(3) }, 10).fileSlices]).toEqual([1, 1, 1]);
  });

  it('begins another file before an offset leaves the safe integers', () => {
    const bytes = 2 ** 51 + 1;
    const spec = { dtype: 'U8', shape: [bytes], globalShape: [bytes], origin: [0], group: 'model', bytes } as const;
    const shape = spec.shape;
    const specs = ['a', 'b', 'c'].map((name) => ({ ...spec, name, shape, globalShape: shape }));
    const { files } = buildPlan(specs, oneFile);
    expect(files).toHaveLength(3);
    for (const { header, bytes } of files) checkHeader(header, bytes);
  });

  it('is empty without tensors', () => {
    const nothing = plan({});
    expect([nothing.files, nothing.bytes, nothing.order.length]).toEqual([[], 0, 0]);
  });

  it('writes a file for an empty tensor', () => {
    const { files, bytes } = plan({ a: u8(0) });
    expect([files[0]!.bytes, bytes]).toEqual([4096, 4096]);
  });

  it('needs more files where a header would grow too long', () => {
    const names = Array.from({ length: 30 }, (_, index) => `${index}`.padEnd(1_000_000, 'x'));
    const { files } = plan(new Map(names.map((name) => [name, u8(1)])));
    expect(files.map(({ path, sliceCount }) => [path, sliceCount])).toEqual([
      ['model-00001-of-00002.safetensors', 24],
      ['model-00002-of-00002.safetensors', 6],
    ]);
    for (const { header, bytes } of files) checkHeader(header, bytes);
  });

  it('refuses a name that no header can hold', () => {
    const act = () => plan({ a: u8(1), ['x'.repeat(25_000_000)]: u8(1) });
    expect(act).toThrow(expect.objectContaining({ code: 'ERR_SNAPSHARD_HEADER_TOO_LARGE' }));
    expect(act).toThrow(/25000000 characters/);
  });

  it('refuses more files than five digits count', () => {
    const many = Array.from({ length: 100_000 }, (_, index) => [`${index}`, u8(1)] as const);
    const act = () => plan(new Map(many), 1);
    expect(act).toThrow(expect.objectContaining({ code: 'ERR_SNAPSHARD_INVALID_ARGUMENT' }));
    expect(act).toThrow(/"model".*shardBytes/);
  });

  it('holds 100,000 tensors', () => {
    const count = 100_000;
    const data = new Uint8Array(16);
    const tensors = Array.from({ length: count }, (_, index) => [
      `layers.${(index * 7919) % count}.weight`,
      { dtype: 'F32', shape: [2, 2], data },
    ]);
    const planned = plan(new Map(tensors as never));
    expect(planned.files).toHaveLength(1);
    const { header, bytes } = planned.files[0]!;
    const names = checkHeader(header, bytes).tensors.map(({ name }) => name);
    expect(new Set(names).size).toBe(count);
    expect(names).toEqual([...names].sort());
  });
});

describe('a plan of slices', () => {
  const rows = (begin: number, end: number, extra: object = {}): Tensor => ({
    dtype: 'U8',
    shape: [end - begin, 4],
    globalShape: [6, 4],
    origin: [begin, 0],
    data: patternBytes((end - begin) * 4, begin),
    ...extra,
  });

  it('keeps the slices of one tensor in different files, named and marked for PyTorch', () => {
    const { specs, sources } = normalize([
      ['w', rows(4, 6)],
      ['v', u8(3)],
      ['w', rows(0, 1)],
      ['w', rows(1, 4)],
      ['o', rows(0, 3, { group: 'optimizer' })],
      ['o', rows(3, 6, { group: 'optimizer' })],
    ]);
    const planned = buildPlan(specs, oneFile);
    const files = writeFiles(planned, sources);
    const found = planned.files.map(({ path }, index) => {
      const { metadata, tensors } = checkHeader(files[index]!, files[index]!.length);
      return [
        path,
        tensors.map(({ name, shape }) => [name, shape]),
        JSON.parse(metadata.DCP_SHARDING_INFO!) as unknown,
      ];
    });
    const saved = (origins: Record<string, number[]>) =>
      Object.fromEntries(Object.entries(origins).map(([name, origin]) => [name, { saved_offsets: origin }]));
    expect(found).toEqual([
      [
        'shard-00001-model-00001-of-00003.safetensors',
        [
          ['v', [3]],
          ['w', [1, 4]],
        ],
        saved({ v: [0], w: [0, 0] }),
      ],
      ['shard-00001-model-00002-of-00003.safetensors', [['w', [3, 4]]], saved({ w: [1, 0] })],
      ['shard-00001-model-00003-of-00003.safetensors', [['w', [2, 4]]], saved({ w: [4, 0] })],
      ['shard-00001-optimizer-00001-of-00002.safetensors', [['o', [3, 4]]], saved({ o: [0, 0] })],
      ['shard-00001-optimizer-00002-of-00002.safetensors', [['o', [3, 4]]], saved({ o: [3, 0] })],
    ]);
  });

  it('is made for every plan of a rank among several, even where all tensors are whole', () => {
    const specs = normalize({ w: u8(3), s: { dtype: 'F32', shape: [], data: new Uint8Array(4), group: 'ema' } }).specs;
    const planned = buildPlan(specs, { shardBytes: Infinity, rank: 2, worldSize: 8 });
    expect([planned.rank, planned.worldSize, planned.sliced]).toEqual([2, 8, true]);
    expect(planned.files.map(({ path }) => path)).toEqual([
      'shard-00003-ema-00001-of-00001.safetensors',
      'shard-00003-model-00001-of-00001.safetensors',
    ]);
    const sharding = planned.files.map(({ header, bytes }) => checkHeader(header, bytes).metadata.DCP_SHARDING_INFO!);
    expect(sharding).toEqual(['{"s":{"saved_offsets":[]}}', '{"w":{"saved_offsets":[0]}}']);
    expect(planned.specs).toBe(specs);
  });

  it('leaves out the empty slices of a tensor that is not empty', () => {
    const { specs } = normalize([
      ['w', rows(0, 6, { globalShape: [6, 5] })],
      ['w', rows(6, 6, { globalShape: [6, 5] })],
    ]);
    const planned = buildPlan(specs, oneFile);
    expect([...planned.order]).toEqual([0]);
    expect(planned.files).toHaveLength(1);
  });

  it('writes the slices of an empty tensor', () => {
    const empty = (begin: number) => ({ ...u8(0), shape: [2, 0], globalShape: [4, 0], origin: [begin, 0] });
    expect(
      plan([
        ['w', empty(2)],
        ['w', empty(0)],
      ]).files,
    ).toHaveLength(2);
  });

  it('does not depend on the order of the input', () => {
    const slices = [0, 1, 2, 3, 4, 5].flatMap((row) => ['a', 'b'].map((name) => [name, rows(row, row + 1)] as const));
    for (let seed = 0; seed < 20; seed += 1) {
      expect(layout(plan(shuffled(slices, seed)))).toEqual(layout(plan(slices)));
    }
  });
});

describe('orderSegments', () => {
  it('keeps the parts of a tensor together and in their order', () => {
    const parts = [1, 2, 3].map((seed) => patternBytes(seed * 5, seed));
    const { specs, sources } = normalize({
      last: u8(7),
      first: { dtype: 'F64', shape: [1], data: [patternBytes(3, 1), patternBytes(5, 2)] },
      middle: { dtype: 'U16', shape: [15], data: parts },
    });
    const [file] = writeFiles(buildPlan(specs, oneFile), sources);
    const { tensors } = checkHeader(file!, file!.length);
    const at = tensors.find(({ name }) => name === 'middle')!;
    expect(Buffer.concat(parts).equals(file!.subarray(at.begin, at.end))).toBe(true);
    expect(tensors.map(({ name }) => name)).toEqual(['first', 'middle', 'last']);
  });
});
