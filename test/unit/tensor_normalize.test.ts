import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SnapshardError } from '../../lib/errors.js';
import { dtypeBits, dtypes } from '../../lib/tensor/dtype.js';
import { normalizeTensors } from '../../lib/tensor/normalize.js';
import type { Tensor, TensorSpec } from '../../lib/tensor/tensor.js';
import { patternBytes, tensorMap } from './tensor_arbitraries.js';

const noLease = () => undefined;
const normalize = (tensors: unknown, known?: readonly TensorSpec[]) =>
  normalizeTensors(tensors as never, noLease, known);

/** What `tensors` is refused with: its code without the prefix, and the message. */
function refusal(tensors: unknown): { code: string; message: string } {
  try {
    normalize(tensors);
  } catch (error) {
    if (error instanceof SnapshardError)
      return { code: error.code.slice('ERR_SNAPSHARD_'.length), message: error.message };
    throw error;
  }
  return { code: 'none', message: '' };
}

const bytes = (count: number) => new Uint8Array(count);
const f32 = (shape: number[], extra: object = {}): object => ({
  dtype: 'F32',
  shape,
  data: bytes(4 * shape.reduce((product, size) => product * size, 1)),
  ...extra,
});

describe('what tensors may come in', () => {
  const expected = {
    name: 'w',
    dtype: 'F32',
    shape: [2, 3],
    globalShape: [2, 3],
    origin: [0, 0],
    group: 'model',
    bytes: 24,
  };

  it.each([
    ['a record', { w: f32([2, 3]) }],
    ['a record without a prototype', Object.assign(Object.create(null) as object, { w: f32([2, 3]) })],
    ['a Map', new Map([['w', f32([2, 3])]])],
    ['an array of entries', [['w', f32([2, 3])]]],
    [
      'a generator',
      (function* () {
        yield ['w', f32([2, 3])];
      })(),
    ],
    ['undefined properties', { w: f32([2, 3], { group: undefined, origin: undefined, globalShape: undefined }) }],
    ['a slice that is all of it', { w: f32([2, 3], { globalShape: [2, 3], origin: [0, 0] }) }],
  ])('%s', (_what, tensors) => {
    const { specs } = normalize(tensors);
    expect(specs).toEqual([expected]);
    expect(specs[0]!.globalShape).toBe(specs[0]!.shape);
  });

  it('keeps the order of the input', () => {
    const names = ['b', 'a', 'c'];
    expect(normalize(new Map(names.map((name) => [name, f32([1])]))).specs.map(({ name }) => name)).toEqual(names);
  });

  it('takes nothing at all', () => {
    expect(normalize({}).specs).toEqual([]);
    expect(normalize([]).sources.sources).toEqual([]);
  });

  it('takes a bare typed array as one dimension of its own dtype', () => {
    const { specs } = normalize({ a: new Float64Array(3), b: new BigInt64Array(0), c: Buffer.from('abc') });
    expect(specs.map(({ dtype, shape, bytes }) => [dtype, shape, bytes])).toEqual([
      ['F64', [3], 24],
      ['I64', [0], 0],
      ['U8', [3], 3],
    ]);
  });

  it.each(dtypes)('takes raw bytes for %s', (dtype) => {
    const { specs } = normalize({ w: { dtype, shape: [2, 4], data: bytes(dtypeBits[dtype]) } });
    expect(specs[0]).toMatchObject({ dtype, bytes: dtypeBits[dtype] });
  });

  it('takes scalars, empty tensors and awkward names', () => {
    const tensors = [
      ['__proto__', f32([])],
      ['constructor', f32([0, 3])],
      ['😀 "\\\n', f32([1])],
    ];
    expect(normalize(tensors).specs.map(({ name, bytes }) => [name, bytes])).toEqual([
      ['__proto__', 4],
      ['constructor', 0],
      ['😀 "\\\n', 4],
    ]);
  });

  it('takes a repeated name for slices of one tensor', () => {
    const slices = [0, 2].map((row) => ['w', f32([2, 3], { globalShape: [4, 3], origin: [row, 0] })]);
    expect(normalize(slices).specs.map(({ origin }) => origin)).toEqual([
      [0, 0],
      [2, 0],
    ]);
  });

  it('does not follow later changes of a shape', () => {
    const shape = [2, 3];
    const { specs } = normalize({ w: f32(shape) });
    shape[0] = 9;
    expect(specs[0]!.shape).toEqual([2, 3]);
  });
});

it.each(['dtype', 'shape', 'data', 'globalShape', 'origin', 'group', 'replicas'])('a property is read once: %s', (property) => {
  const tensor = { dtype: 'U8', shape: [2], data: new Uint8Array(2), globalShape: [4], origin: [2], group: 'a', replicas: 'all' };
  let reads = 0;
  const value: unknown = Reflect.get(tensor, property);
  Object.defineProperty(tensor, property, { enumerable: true, get: () => (reads++ === 0 ? value : Symbol('another')) });
  const { specs } = normalize({ a: tensor });
  expect(specs).toMatchObject([{ dtype: 'U8', shape: [2], globalShape: [4], origin: [2], group: 'a' }]);
  expect(reads).toBe(1);
});

describe('what is refused', () => {
  const w = (tensor: unknown) => ({ w: tensor });

  it.each<[string, unknown, string, RegExp]>([
    ['null', null, 'INVALID_ARGUMENT', /`tensors` but received null/],
    ['a string', 'abc', 'INVALID_ARGUMENT', /`tensors` but received "abc"/],
    ['a typed array', bytes(2), 'INVALID_ARGUMENT', /received an instance of Uint8Array/],
    ['a promise', Promise.resolve({}), 'INVALID_ARGUMENT', /received an instance of Promise/],
    ['a date', new Date(), 'INVALID_ARGUMENT', /received an instance of Date/],
    ['an object made after a view', Object.create(new Uint8ClampedArray(4)), 'INVALID_ARGUMENT', /iterable of \[name, tensor\]/],
    ['an entry that is no pair', [['w']], 'INVALID_ARGUMENT', /\[name, tensor\]/],
    ['an empty name', { '': f32([1]) }, 'INVALID_NAME', /empty/],
    ['a reserved name', { __metadata__: f32([1]) }, 'INVALID_NAME', /__metadata__/],
    ['a lone surrogate', { 'a\ud800': f32([1]) }, 'INVALID_NAME', /surrogate/],
    ['a NUL', { 'a\0': f32([1]) }, 'INVALID_NAME', /NUL/],
    ['a name that is no string', [[7, f32([1])]], 'INVALID_NAME', /string.*7/],
    [
      'a name twice',
      [
        ['w', f32([1])],
        ['w', f32([1])],
      ],
      'DUPLICATE_NAME',
      /"w"/,
    ],
    [
      'a slice of a whole',
      [
        ['w', f32([1])],
        ['w', f32([1], { globalShape: [2], origin: [1] })],
      ],
      'DUPLICATE_NAME',
      /"w"/,
    ],
    [
      'a whole of slices',
      [
        ['w', f32([1], { globalShape: [2], origin: [1] })],
        ['w', f32([2])],
      ],
      'DUPLICATE_NAME',
      /"w"/,
    ],
    ['no object', w(7), 'INVALID_ARGUMENT', /tensor "w" but received 7/],
    ['an ArrayBuffer with no dtype', w(new ArrayBuffer(4)), 'UNKNOWN_DTYPE', /"w" but received undefined/],
    ['a bare DataView', w(new DataView(new ArrayBuffer(4))), 'INVALID_ARGUMENT', /dtype, shape, data/],
    ['an unknown dtype', w(f32([1], { dtype: 'float32' })), 'UNKNOWN_DTYPE', /BF16.*"w" but received "float32"/],
    ['a misspelt property', w(f32([1], { globalshape: [1] })), 'INVALID_ARGUMENT', /globalShape.*"globalshape"/],
    [
      'no shape',
      w({ dtype: 'F32', data: bytes(4) }),
      'INVALID_ARGUMENT',
      /`shape` of tensor "w" but received undefined/,
    ],
    ['a negative size', w(f32([1], { shape: [-1] })), 'INVALID_ARGUMENT', /`shape` of tensor "w" but received -1/],
    ['half an element', w(f32([1], { shape: [1, 0.5] })), 'INVALID_ARGUMENT', /dimension 1.*received 0.5/],
    ['NaN', w(f32([1], { shape: [NaN] })), 'INVALID_ARGUMENT', /NaN/],
    ['a string as size', w(f32([1], { shape: ['1'] })), 'INVALID_ARGUMENT', /"1"/],
    ['a bigint as size', w(f32([1], { shape: [1n] })), 'INVALID_ARGUMENT', /received 1n/],
    ['a sparse shape', w(f32([1], { shape: new Array(2) })), 'INVALID_ARGUMENT', /undefined/],
    ['an unsafe size', w(f32([1], { shape: [2 ** 53] })), 'INVALID_ARGUMENT', /2\^53/],
    ['a size that overflows', w(f32([1], { shape: [2 ** 30, 2 ** 30] })), 'INVALID_ARGUMENT', /2\^53/],
    ['an overflow before a 0', w(f32([1], { shape: [2 ** 30, 2 ** 30, 0] })), 'INVALID_ARGUMENT', /2\^53/],
    ['a global overflow', w(f32([1], { globalShape: [2 ** 52], origin: [0] })), 'INVALID_ARGUMENT', /2\^53/],
    ['too many dimensions', w(f32([1], { shape: new Array(65).fill(1) })), 'INVALID_ARGUMENT', /at most 64/],
    ['too few bytes', w(f32([2], { data: bytes(7) })), 'SHAPE_MISMATCH', /Expected 8 bytes.*"w".*received 7 bytes/],
    ['too many bytes', w(f32([2], { data: [bytes(8), bytes(1)] })), 'SHAPE_MISMATCH', /Expected 8 .*received 9 bytes/],
    ['no bytes', w(f32([2], { data: [] })), 'SHAPE_MISMATCH', /received 0 bytes/],
    ['half a byte', w({ dtype: 'F4', shape: [3], data: bytes(2) }), 'SHAPE_MISMATCH', /12 bits/],
    ['origin alone', w(f32([1], { origin: [0] })), 'INVALID_ARGUMENT', /`globalShape`/],
    ['globalShape alone', w(f32([1], { globalShape: [2] })), 'INVALID_ARGUMENT', /`origin`/],
    ['ranks that differ', w(f32([1], { globalShape: [2, 2], origin: [0, 0] })), 'SHAPE_MISMATCH', /same number/],
    ['a slice outside', w(f32([2], { globalShape: [4], origin: [3] })), 'SHAPE_MISMATCH', /\[3\].*\[4\]/],
    ['a group with a slash', w(f32([1], { group: 'a/b' })), 'INVALID_ARGUMENT', /`group` of tensor "w".*"a\/b"/],
    ['a group with a dot', w(f32([1], { group: '..' })), 'INVALID_ARGUMENT', /`group`/],
    ['an empty group', w(f32([1], { group: '' })), 'INVALID_ARGUMENT', /`group`/],
    ['no data', w({ dtype: 'F32', shape: [1] }), 'INVALID_ARGUMENT', /`data` of tensor "w" but received undefined/],
    ['data of numbers', w(f32([1], { data: [1, 2] })), 'INVALID_ARGUMENT', /`data` of tensor "w" but received 1/],
    ['an object that is no lease', w(f32([1], { data: { buffer: new ArrayBuffer(4) } })), 'INVALID_ARGUMENT', /lease/],
  ])('%s', (_what, tensors, code, message) => {
    const refused = refusal(tensors);
    expect(refused.message).toMatch(message);
    expect(refused.code).toBe(code);
  });

  it.each([
    [new Float32Array(2), 'F64'],
    [new Uint16Array(4), 'I16'],
    [new Uint16Array(4), 'F32'],
    [new Float64Array(1), 'C64'],
    [new Int8Array(8), 'U8'],
    [new BigInt64Array(1), 'U64'],
  ])('%o as %s', (data, dtype) => {
    const shape = [(8 * data.byteLength) / dtypeBits[dtype as Tensor['dtype']]];
    expect(refusal(w({ dtype, shape, data })).code).toBe('DTYPE_MISMATCH');
    expect(refusal(w({ dtype, shape, data: [data] })).code).toBe('DTYPE_MISMATCH');
    expect(refusal(w({ dtype, shape, data: data.buffer })).code).toBe('none');
  });

  it('cuts long names in messages', () => {
    expect(refusal({ ['x'.repeat(100_000)]: 7 }).message.length).toBeLessThan(400);
  });
});

describe('specs of an earlier save', () => {
  const first = normalize({ a: f32([2, 3]), b: f32([4], { group: 'optimizer' }) }).specs;

  it('are used again where nothing changed', () => {
    const { specs } = normalize({ a: f32([2, 3]), b: f32([4], { group: 'optimizer' }) }, first);
    expect(specs[0]).toBe(first[0]);
    expect(specs[1]).toBe(first[1]);
  });

  it.each([
    ['shape', { a: f32([3, 2]) }],
    ['rank', { a: f32([2, 3, 1]) }],
    ['dtype', { a: f32([2, 3], { dtype: 'I32' }) }],
    ['group', { a: f32([2, 3], { group: 'ema' }) }],
    ['name', { c: f32([2, 3]) }],
    ['globalShape', { a: f32([2, 3], { globalShape: [4, 3], origin: [0, 0] }) }],
  ])('are not when the %s changed', (_what, tensors) => {
    expect(normalize(tensors, first)).toEqual(normalize(tensors));
  });

  it('do not excuse what is wrong now', () => {
    expect(() => normalize({ a: f32([2, 3], { data: bytes(1) }) }, first)).toThrow(/Expected 24 bytes/);
    expect(() => normalize({ a: f32([2, 3], { extra: 1 }) }, first)).toThrow(/"extra"/);
    expect(() => normalize({ a: f32([2, 3], { group: null }) }, first)).toThrow(/`group`/);
    expect(() => normalize({ a: f32([2, 3], { origin: [0, 0] }) }, first)).toThrow(/`globalShape`/);
    expect(() => normalize({ a: f32([2, 3], { data: new Float64Array(3) }) }, first)).toThrow(/F64/);
  });

  it('change nothing in the result, whatever they are', () => {
    fc.assert(
      fc.property(tensorMap, tensorMap, (before, now) => {
        const known = normalize(before).specs;
        expect(normalize(now, known)).toEqual(normalize(now));
        expect(normalize(before, known).specs).toEqual(known);
      }),
    );
  });
});

it('takes 100,000 tensors of one buffer as 100,000 segments of one source', () => {
  const pool = patternBytes(1 << 20, 1).buffer;
  const count = 100_000;
  const tensors = Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      `layer.${index}.weight`,
      { dtype: 'F32', shape: [2], data: new Float32Array(pool, (index % 1000) * 8, 2) },
    ]),
  );
  const { specs, sources } = normalize(tensors);
  expect(specs).toHaveLength(count);
  expect(sources.sources).toEqual([pool]);
  expect(sources.segmentBytes).toHaveLength(count);
  expect(sources.segmentOffset.at(-1)).toBe(999 * 8);
});
