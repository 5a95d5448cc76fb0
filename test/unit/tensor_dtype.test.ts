import { describe, expect, it } from 'vitest';
import { type Dtype, bareDtype, carriedDtypes, dtypeBits, dtypes, isDtype } from '../../lib/tensor/dtype.js';
import { viewClass } from '../../lib/tensor/view.js';

const widths = {
  4: ['F4'],
  6: ['F6_E2M3', 'F6_E3M2'],
  8: ['BOOL', 'U8', 'I8', 'F8_E5M2', 'F8_E4M3', 'F8_E8M0', 'F8_E4M3FNUZ', 'F8_E5M2FNUZ'],
  16: ['I16', 'U16', 'F16', 'BF16'],
  32: ['I32', 'U32', 'F32'],
  64: ['C64', 'F64', 'I64', 'U64'],
};

const views: [ArrayBufferView, Dtype | undefined, Dtype[] | 'any'][] = [
  [new Int8Array(8), 'I8', ['I8']],
  [new Uint8Array(8), 'U8', 'any'],
  [Buffer.alloc(8), 'U8', 'any'],
  [new DataView(new ArrayBuffer(8)), undefined, 'any'],
  [new Uint8ClampedArray(8), 'U8', ['U8']],
  [new Int16Array(8), 'I16', ['I16']],
  [new Uint16Array(8), 'U16', ['U16', 'F16', 'BF16']],
  [new Int32Array(8), 'I32', ['I32']],
  [new Uint32Array(8), 'U32', ['U32']],
  [new Float32Array(8), 'F32', ['F32', 'C64']],
  [new Float64Array(8), 'F64', ['F64']],
  [new BigInt64Array(8), 'I64', ['I64']],
  [new BigUint64Array(8), 'U64', ['U64']],
];
if (typeof globalThis.Float16Array === 'function') views.push([new Float16Array(8), 'F16', ['F16']]);

describe('dtypes', () => {
  it('are all those of safetensors, with their widths', () => {
    const expected = Object.entries(widths).flatMap(([width, names]) => names.map((name) => [name, Number(width)]));
    expect(Object.fromEntries(Object.entries(dtypeBits))).toEqual(Object.fromEntries(expected));
    expect(dtypes).toHaveLength(22);
  });

  it.each(['f32', 'float32', '', 'toString', '__proto__', 7, null, undefined])('do not include %s', (name) => {
    expect(isDtype(name)).toBe(false);
  });

  it.each(views)('of %o', (view, bare, carried) => {
    expect(bareDtype(view)).toBe(bare);
    const list = carriedDtypes(viewClass(view)) ?? 'any';
    expect(list).toEqual(carried);
  });

  it('knows a view by what it is, not by what it says', () => {
    class Misleading extends Float32Array {
      override get [Symbol.toStringTag](): 'Float32Array' {
        return 'Uint8Array' as 'Float32Array';
      }
    }
    expect(viewClass(new Misleading(1))).toBe('Float32Array');
  });
});
