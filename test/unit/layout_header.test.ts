import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeaderBuilder } from '../../lib/layout/header.js';
import { JsonBytes } from '../../lib/layout/json_bytes.js';
import { type Dtype, dtypeBits, dtypes } from '../../lib/tensor/dtype.js';
import type { TensorSpec } from '../../lib/tensor/tensor.js';
import { checkHeader } from './layout_checker.js';
import { boundaryBytes, tensorName } from './tensor_arbitraries.js';

function specOf(name: string, dtype: Dtype, shape: number[]): TensorSpec {
  const bytes = (shape.reduce((product, size) => product * size, 1) * dtypeBits[dtype]) / 8;
  return { name, dtype, shape, globalShape: shape, origin: shape.map(() => 0), group: 'model', bytes };
}

function headerOf(specs: readonly TensorSpec[], sliced = false) {
  const builder = new HeaderBuilder(sliced);
  for (const spec of specs) expect(builder.add(spec)).toBe(true);
  const header = builder.finish();
  return { header, checked: checkHeader(header, header.length + builder.dataBytes) };
}

const facts = ({ name, dtype, shape }: { name: string; dtype: string; shape: readonly number[] }) => ({
  name,
  dtype,
  shape,
});

describe('a header', () => {
  it('is these bytes', () => {
    const { header } = headerOf([specOf('b', 'F32', [2, 3]), specOf('a"ß', 'BOOL', [])]);
    const json =
      '{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},' +
      '"a\\"ß":{"dtype":"BOOL","shape":[],"data_offsets":[24,25]}}';
    const expected = Buffer.alloc(4096, ' ');
    expected.writeBigUInt64LE(4088n);
    expected.write(json, 8);
    expect(Buffer.from(header).equals(expected)).toBe(true);
  });

  it.each(dtypes)('says what %s takes', (dtype) => {
    const { checked } = headerOf([specOf('w', dtype, [3, 4, 2]), specOf('z', dtype, [0, 7])]);
    expect(checked.tensors.map(facts)).toEqual([
      { name: 'w', dtype, shape: [3, 4, 2] },
      { name: 'z', dtype, shape: [0, 7] },
    ]);
  });

  it.each(boundaryBytes)('places tensors of %i bytes', (bytes) => {
    const { header, checked } = headerOf([specOf('a', 'U8', [bytes]), specOf('b', 'U8', [bytes])]);
    expect(checked.tensors.map(({ begin }) => begin - header.length)).toEqual([0, bytes]);
  });

  it('counts terabytes', () => {
    const { checked } = headerOf([specOf('a', 'F32', [2 ** 38]), specOf('b', 'F32', [2 ** 38, 3])]);
    expect(checked.tensors[1]!.end - checked.tensors[1]!.begin).toBe(3 * 2 ** 40);
  });

  it('pads to the next multiple of 4096, at every length around one', () => {
    const shortest = JSON.stringify({
      __metadata__: { format: 'pt' },
      '': { dtype: 'U8', shape: [1], data_offsets: [0, 1] },
    });
    for (const length of [4087, 4088, 4089, 8184, 8185]) {
      const { header } = headerOf([specOf('n'.repeat(length - shortest.length), 'U8', [1])]);
      expect(header.length).toBe(Math.ceil((length + 8) / 4096) * 4096);
    }
  });

  it('is strict whatever the names', () => {
    const shape = fc.array(fc.nat(5), { maxLength: 3 });
    const list = fc.uniqueArray(fc.tuple(tensorName, shape), { selector: ([name]) => name, maxLength: 20 });
    fc.assert(
      fc.property(list, fc.boolean(), (tensors, sliced) => {
        const specs = tensors.map(([name, shape]) => specOf(name, 'F16', shape));
        const { checked } = headerOf(specs, sliced);
        expect(checked.tensors.map(facts)).toEqual(specs.map(facts));
        if (!sliced) expect(checked.metadata).toEqual({ format: 'pt' });
        else {
          const info = JSON.parse(checked.metadata.DCP_SHARDING_INFO!) as Record<string, unknown>;
          expect(Object.entries(info).sort()).toEqual(
            specs.map(({ name, origin }) => [name, { saved_offsets: origin }]).sort(),
          );
        }
      }),
    );
  });

  it('tells PyTorch where slices begin', () => {
    const slice = { ...specOf('w"', 'F32', [2, 3]), globalShape: [8, 3], origin: [6, 0] };
    const { checked } = headerOf([slice, specOf('s', 'I64', [])], true);
    expect(checked.metadata).toEqual({
      format: 'pt',
      DCP_VERSION: '1.0',
      DCP_SHARDING_INFO: '{"w\\"":{"saved_offsets":[6,0]},"s":{"saved_offsets":[]}}',
    });
  });

  it.each([false, true])('takes no entry that makes it too long, and stays as it was (sliced: %s)', (sliced) => {
    const builder = new HeaderBuilder(sliced);
    const long = 'x'.repeat(1_000_000);
    let count = 0;
    while (builder.add(specOf(`${count}${long}`, 'U8', [1]))) count += 1;
    expect(count).toBe(sliced ? 12 : 24);
    expect(builder.dataBytes).toBe(count);
    expect(builder.add(specOf('short', 'U8', [1]))).toBe(true);
    const header = builder.finish();
    const names = checkHeader(header, header.length + count + 1).tensors.map(({ name }) => name);
    expect(names).toHaveLength(count + 1);
    expect(names.at(-1)).toBe('short');
  });
});

describe('JSON bytes', () => {
  const text = (json: JsonBytes) => new TextDecoder().decode(json.view());

  it('agree with JSON.stringify', () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string(),
      fc.maxSafeNat(),
      fc.array(fc.maxSafeNat()),
      fc.constantFrom(0, 9, 10, 99, 100, 10 ** 15 - 1, 10 ** 15, Number.MAX_SAFE_INTEGER),
    );
    fc.assert(
      fc.property(fc.array(value, { maxLength: 50 }), (values) => {
        const json = new JsonBytes();
        for (const item of values) {
          if (typeof item === 'string') json.string(item);
          else if (typeof item === 'number') json.integer(item);
          else json.integers(item);
          json.raw('é,\n');
        }
        expect(text(json)).toBe(values.map((item) => `${JSON.stringify(item)}é,\n`).join(''));
      }),
    );
  });

  it('grow, and go back', () => {
    const json = new JsonBytes();
    json.string('ab').integers(Array.from({ length: 5000 }, () => 1234567890123456));
    json.rewind(4);
    json.string('😀'.repeat(10_000));
    expect(text(json)).toBe(`"ab"${JSON.stringify('😀'.repeat(10_000))}`);
  });
});
