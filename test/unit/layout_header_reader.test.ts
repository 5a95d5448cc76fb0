import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { SnapshardError } from '../../lib/errors.js';
import { HeaderBuilder } from '../../lib/layout/header.js';
import { headerJsonBytes, parseHeader, type ShardHeader } from '../../lib/layout/header_reader.js';
import { TimeSlices } from '../../lib/layout/time_slices.js';
import { normalizeTensors } from '../../lib/tensor/normalize.js';
import { smallTensor, tensorName } from './tensor_arbitraries.js';

const word = (length: bigint): Uint8Array => {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, length, true);
  return bytes;
};

/** Reads a header whose file has this many bytes of data. */
function parse(text: string | Uint8Array, dataBytes: number): Promise<ShardHeader> {
  const json = Buffer.from(text);
  return parseHeader(json, 8 + json.length + dataBytes);
}

async function refusal(text: string | Uint8Array, dataBytes: number, code = 'ERR_SNAPSHARD_CORRUPT'): Promise<string> {
  const error: unknown = await parse(text, dataBytes).then(
    () => expect.fail(`was read: ${Buffer.from(text).toString().slice(0, 500)}`),
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: 'SnapshardError', code });
  return (error as Error).message;
}

const entry = (dtype: string, shape: unknown, begin: number, end: number) => ({
  ...{ dtype, shape, data_offsets: [begin, end] },
});
const sharding = (info: unknown) => ({ DCP_SHARDING_INFO: typeof info === 'string' ? info : JSON.stringify(info) });

describe('the length of a header', () => {
  it('is what the first 8 bytes say', () => {
    expect(headerJsonBytes(word(4088n), 5000)).toBe(4088);
    expect(headerJsonBytes(word(100_000_000n), 100_000_008)).toBe(100_000_000);
    const within = new Uint8Array(20).fill(255);
    within.set(word(7n), 5);
    expect(headerJsonBytes(within.subarray(5, 13), 100)).toBe(7);
  });

  it.each([
    ['longer than the format allows', word(100_000_001n), 2 ** 40, /more than the 100000000/],
    ['longer than anything', word(2n ** 64n - 1n), 2 ** 40, /18446744073709551615 bytes long: more/],
    ['longer than the file', word(93n), 100, /93 bytes long, but the file is 100/],
    ['not there', new Uint8Array(7), 7, /too short/],
    ['not there in an empty file', new Uint8Array(0), 0, /too short/],
  ])('is refused: %s', (_, bytes, fileBytes, message) => {
    expect(() => headerJsonBytes(bytes, fileBytes)).toThrow(message);
    expect(() => headerJsonBytes(bytes, fileBytes)).toThrow(
      expect.objectContaining({ code: 'ERR_SNAPSHARD_CORRUPT' }) as Error,
    );
  });
});

describe('a header', () => {
  it('gives back what ours says, slices and all', async () => {
    const tensors = fc.uniqueArray(fc.tuple(tensorName, smallTensor), { selector: ([name]) => name, maxLength: 12 });
    const property = fc.asyncProperty(tensors, fc.boolean(), async (entries, sliced) => {
      const { specs } = normalizeTensors(entries, () => undefined);
      const origins = specs.map((spec) => ({ ...spec, origin: spec.shape.map((size, at) => size * at + 1) }));
      const builder = new HeaderBuilder(sliced);
      for (const spec of origins) builder.add(spec);
      const bytes = builder.finish();
      const fileBytes = bytes.length + builder.dataBytes;
      const header = await parseHeader(bytes.subarray(8, 8 + headerJsonBytes(bytes, fileBytes)), fileBytes);
      expect(header).toMatchObject({ headerBytes: bytes.length, sharded: sliced });
      expect([...header.metadata]).toEqual([['format', 'pt'], ...(sliced ? [['DCP_VERSION', '1.0']] : [])]);
      expect(new Map(header.tensors.map((tensor) => [tensor.name, tensor]))).toEqual(
        new Map(
          origins.map(({ name, dtype, shape, bytes: size, origin }) => {
            const begin = header.tensors.find((tensor) => tensor.name === name)!.begin;
            return [
              name,
              { name, dtype, shape, begin, end: begin + size, origin: sliced ? origin : shape.map(() => 0) },
            ];
          }),
        ),
      );
      expect(header.tensors.at(-1)?.end ?? bytes.length).toBe(fileBytes);
    });
    await fc.assert(property, { numRuns: 300 });
  });

  it('may list tensors in any order, and have fields that are not known', async () => {
    const { tensors } = await parse(
      '{ "b":{"x":[{}],"shape":[2],"data_offsets":[4,8],"dtype":"U16"}, "e":{"dtype":"F32","shape":[0],"data_offsets":[4,4]},\n' +
        '"__proto__":{"data_offsets":[0,4],"shape":[],"dtype":"F32","toString":1},"__metadata__":{"__proto__":"x"}}   ',
      8,
    );
    expect(tensors.map(({ name }) => name)).toEqual(['__proto__', 'e', 'b']);
  });

  it('may be empty', async () => {
    expect(await parse('{}', 0)).toMatchObject({ tensors: [], sharded: false, metadata: new Map() });
    expect(await parse('{"__metadata__":{"DCP_SHARDING_INFO":""}}', 0)).toMatchObject({ sharded: false });
  });

  it('gives way to the event loop', async () => {
    let now_ms = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => (now_ms += 20));
    const pause = vi.spyOn(TimeSlices.prototype, 'pause');
    const names = Array.from({ length: 5000 }, (_, index) => [`t${index}`, entry('U8', [0], 0, 0)]);
    await parse(JSON.stringify(Object.fromEntries(names)), 0);
    expect(pause.mock.calls.length).toBeGreaterThanOrEqual(9);
    vi.restoreAllMocks();
  });

  const wrong: [string, object | string, number, RegExp][] = [
    ['no object', '[]', 0, /does not begin with "\{"/],
    ['a space before it', ' {}', 0, /does not begin with "\{"/],
    ['nothing', '', 0, /does not begin/],
    ['JSON cut off', '{"a":', 0, /JSON/],
    ['something behind it', '{}x', 0, /something follows/],
    ['NUL behind it', '{}\0', 0, /something follows/],
    [
      'a tensor twice',
      '{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
      0,
      /"a" is listed twice/,
    ],
    [
      'a dtype twice',
      '{"a":{"dtype":"U8","dtype":"I8","shape":[0],"data_offsets":[0,0]}}',
      0,
      /"a" has its dtype twice/,
    ],
    ['offsets twice', '{"a":{"dtype":"U8","data_offsets":[0,0],"shape":[0],"data_offsets":[0,0]}}', 0, /offsets twice/],
    ['metadata twice', '{"__metadata__":{},"__metadata__":{}}', 0, /__metadata__ is there twice/],
    ['metadata with a key twice', '{"__metadata__":{"a":"1","a":"1"}}', 0, /"a" twice/],
    ['metadata that is no text', { __metadata__: { a: 1 } }, 0, /expected a string/],
    ['metadata that is null', '{"__metadata__":null}', 0, /expected an object/],
    ['a tensor that is a list', { a: [] }, 0, /expected an object/],
    ['no dtype', { a: { shape: [], data_offsets: [0, 1] } }, 1, /"a" lacks/],
    ['no shape', { a: { dtype: 'U8', data_offsets: [0, 1] } }, 1, /"a" lacks/],
    ['no offsets', { a: { dtype: 'U8', shape: [] } }, 1, /"a" lacks/],
    ['one offset', { a: { dtype: 'U8', shape: [], data_offsets: [0] } }, 1, /"a" lacks/],
    ['three offsets', { a: { dtype: 'U8', shape: [], data_offsets: [0, 1, 1] } }, 1, /more than 2/],
    ['a negative size', { a: entry('U8', [-1], 0, 1) }, 1, /integer/],
    ['half an element', { a: entry('U8', [1.5], 0, 1) }, 1, /integer/],
    ['65 dimensions', { a: entry('U8', new Array<number>(65).fill(1), 0, 1) }, 1, /more than 64/],
    ['more bytes than can be counted', { a: entry('U8', [2 ** 27, 2 ** 27], 0, 1) }, 1, /2\^53/],
    ['an overflow hidden by a 0', { a: entry('F64', [2 ** 52, 2 ** 52, 0], 0, 0) }, 0, /2\^53/],
    ['bits that are no whole byte', { a: entry('F4', [3], 0, 1) }, 1, /not whole bytes/],
    [
      'bytes that are not those of the shape',
      { a: entry('F32', [2], 0, 4) },
      4,
      /"a", F32 of shape \[2\], takes 8 bytes/,
    ],
    ['an end before its begin', { a: entry('U8', [], 1, 0) }, 1, /"a".*hold -1/],
    ['a gap at the start', { a: entry('U8', [], 1, 2) }, 2, /"a" leaves a gap/],
    ['a gap', { a: entry('U8', [], 0, 1), b: entry('U8', [], 2, 3) }, 3, /"b" leaves a gap/],
    ['an overlap', { a: entry('U8', [2], 0, 2), b: entry('U8', [2], 1, 3) }, 3, /"b" overlaps/],
    ['the same bytes twice', { a: entry('U8', [2], 0, 2), b: entry('U8', [2], 0, 2) }, 2, /overlaps/],
    ['data behind the last', { a: entry('U8', [2], 0, 2) }, 3, /take 2 bytes, but the file has 3/],
    ['less data than tensors', { a: entry('U8', [2], 0, 2) }, 1, /take 2 bytes, but the file has 1/],
    ['data and no tensor', '{}', 1, /take 0 bytes/],
    [
      'slices of another tensor',
      { __metadata__: sharding({ b: { saved_offsets: [] } }) },
      0,
      /"b", which is not there/,
    ],
    [
      'slices of no tensor',
      { __metadata__: sharding({}), a: entry('U8', [], 0, 1) },
      1,
      /does not tell where tensor "a"/,
    ],
    [
      'no offsets of a slice',
      { __metadata__: sharding({ a: {} }), a: entry('U8', [], 0, 1) },
      1,
      /no saved_offsets of tensor "a"/,
    ],
    [
      'too few offsets',
      { __metadata__: sharding({ a: { saved_offsets: [] } }), a: entry('U8', [1], 0, 1) },
      1,
      /"a".*cannot/,
    ],
    [
      'offsets beyond counting',
      { __metadata__: sharding({ a: { saved_offsets: [2 ** 53 - 1] } }), a: entry('U8', [1], 0, 1) },
      1,
      /"a".*cannot/,
    ],
    [
      'a negative offset',
      { __metadata__: sharding({ a: { saved_offsets: [-1] } }), a: entry('U8', [1], 0, 1) },
      1,
      /integer/,
    ],
    [
      'offsets of slices twice',
      { __metadata__: sharding('{"a":{"saved_offsets":[],"saved_offsets":[]}}'), a: entry('U8', [], 0, 1) },
      1,
      /twice/,
    ],
    [
      'a slice twice',
      { __metadata__: sharding('{"a":{"saved_offsets":[]},"a":{"saved_offsets":[]}}'), a: entry('U8', [], 0, 1) },
      1,
      /"a" twice/,
    ],
    ['sharding that is no JSON', { __metadata__: sharding('{') }, 0, /JSON/],
  ];

  it.each(wrong)('is refused with %s', async (_, header, dataBytes, message) => {
    expect(await refusal(typeof header === 'string' ? header : JSON.stringify(header), dataBytes)).toMatch(message);
  });

  it('is refused with a dtype that is not known', async () => {
    for (const dtype of ['F8', 'f32', '', 'toString', '__proto__']) {
      const text = JSON.stringify({ a: entry(dtype, [], 0, 1) });
      expect(await refusal(text, 1, 'ERR_SNAPSHARD_UNKNOWN_DTYPE')).toContain('Tensor "a"');
    }
  });

  it('is refused with a name that is not UTF-8', async () => {
    const bytes = Buffer.from('{"?":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}');
    bytes[2] = 0xff;
    expect(await refusal(bytes, 0)).toContain('UTF-8');
  });
});

/** The rules once more, in the plainest way; `false` for any header that breaks one. */
function isSound(text: string, dataBytes: number): boolean {
  const { __metadata__: metadata, ...rest } = JSON.parse(text) as Record<string, Record<string, unknown>>;
  if (metadata !== undefined && Object.values(metadata).some((value) => typeof value !== 'string')) return false;
  let position = 0;
  const tensors = Object.values(rest) as unknown as ReturnType<typeof entry>[];
  const offsets = tensors.map((tensor) => tensor.data_offsets).sort(([a, b], [c, d]) => a! - c! || b! - d!);
  for (const [begin, end] of offsets) {
    if (begin !== position) return false;
    position = end!;
  }
  const sized = tensors.every(({ dtype, shape, data_offsets: [begin, end] }) => {
    const elements = (shape as number[]).reduce((product, size) => product * size, 1);
    const bits = Number(/\d+$/.exec(dtype)?.[0]);
    return elements * bits === 8 * ((end ?? 0) - (begin ?? 0));
  });
  return sized && position === dataBytes;
}

describe('a header that somebody changed', () => {
  const example = JSON.stringify({
    __metadata__: {
      format: 'pt',
      DCP_SHARDING_INFO: '{"a":{"saved_offsets":[0,4]},"b":{"saved_offsets":[]},"c":{"saved_offsets":[1]}}',
    },
    a: entry('F32', [2, 3], 0, 24),
    b: entry('BF16', [], 24, 26),
    c: entry('U8', [5], 26, 31),
  });
  const token = fc.constantFrom(
    ...Array.from('{}[],:"\\0123456789'),
    '"a"',
    '"b":',
    'U8',
    '[0,4]',
    '-',
    '999999999999999999',
    '\u0001',
    '\\u0061',
  );
  const edit = fc.record({ at: fc.nat(example.length - 1), drop: fc.nat(4), text: fc.oneof(token, fc.constant('')) });

  it('is refused with a code, or as sound as another reader finds it', async () => {
    let [read, refused] = [0, 0];
    const property = fc.asyncProperty(
      fc.array(edit, { minLength: 1, maxLength: 3 }),
      fc.nat(40),
      async (edits, bytes) => {
        let text = example;
        for (const { at, drop, text: inserted } of edits) text = text.slice(0, at) + inserted + text.slice(at + drop);
        const dataBytes = bytes === 0 ? 30 : 31;
        const outcome = await parse(text, dataBytes).catch((error: unknown) => error as SnapshardError);
        if (outcome instanceof Error) {
          expect(outcome.name).toBe('SnapshardError');
          expect(['ERR_SNAPSHARD_CORRUPT', 'ERR_SNAPSHARD_UNKNOWN_DTYPE']).toContain(outcome.code);
          refused += 1;
          return;
        }
        read += 1;
        expect(isSound(text, dataBytes)).toBe(true);
        const names = Object.keys(JSON.parse(text) as object).filter((name) => name !== '__metadata__');
        expect(outcome.tensors.map(({ name }) => name).sort()).toEqual(names.sort());
      },
    );
    await fc.assert(property, { numRuns: 3000 });
    expect(Math.min(read, refused)).toBeGreaterThan(20);
  });

  it('may have any bit flipped, and any bytes cut off', async () => {
    const bytes = Buffer.from(example);
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      await parse(flipped, 31).catch((error: unknown) => {
        expect(error).toMatchObject({ name: 'SnapshardError' });
      });
    }
    for (let length = 0; length < bytes.length; length += 1) await refusal(bytes.subarray(0, length), 31);
  });
});
