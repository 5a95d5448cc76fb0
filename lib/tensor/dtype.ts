import { viewClass } from './view.js';

/** The element types of the safetensors format, under its names, with the width of one element in bits. */
export const dtypeBits = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;

/** The name of an element type, as safetensors spells it. */
export type Dtype = keyof typeof dtypeBits;

export const dtypes = Object.keys(dtypeBits) as Dtype[];

/** By class of view: the dtypes that it may carry, that of a bare view of the class first. `undefined`: any. */
const carriedBy = new Map<string, readonly Dtype[] | undefined>([
  ['Int8Array', ['I8']],
  ['Uint8ClampedArray', ['U8']],
  ['Int16Array', ['I16']],
  ['Uint16Array', ['U16', 'F16', 'BF16']],
  ['Float16Array', ['F16']],
  ['Int32Array', ['I32']],
  ['Uint32Array', ['U32']],
  ['Float32Array', ['F32', 'C64']],
  ['Float64Array', ['F64']],
  ['BigInt64Array', ['I64']],
  ['BigUint64Array', ['U64']],
  ['Uint8Array', undefined],
  ['DataView', undefined],
]);

export function isDtype(value: unknown): value is Dtype {
  return typeof value === 'string' && Object.hasOwn(dtypeBits, value);
}

/** The dtypes that a view of this class may carry; `undefined` where it is raw bytes, for any dtype. */
export function carriedDtypes(className: string): readonly Dtype[] | undefined {
  return carriedBy.get(className);
}

/** The dtype of a bare typed array; `undefined` for a `DataView`, which has none. */
export function bareDtype(view: ArrayBufferView): Dtype | undefined {
  const className = viewClass(view);
  return className === 'Uint8Array' ? 'U8' : carriedBy.get(className)?.[0];
}
