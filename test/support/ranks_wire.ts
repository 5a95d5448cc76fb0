import type { Dtype, SnapshardErrorCode, WriterOptions } from 'snapshard';

/** A tensor of one rank, without its bytes: those are {@link patternOf} its name and place. */
export interface RankTensor {
  dtype: Dtype;
  shape: readonly number[];
  globalShape?: readonly number[];
  origin?: readonly number[];
  group?: string;
  replicas?: 'all' | readonly number[];
}

/** A name may come several times: slices of one tensor. */
export type RankTensors = readonly (readonly [name: string, tensor: RankTensor])[];

/** What happens to a save of one rank: its signal is aborted, or the bytes of its first tensor are detached. */
export type Mishap = 'abortedBefore' | 'abortedAtOnce' | 'abortedWhenStaged' | 'abortedTooLate' | 'detached';

export interface RankRequest {
  step: number;
  tensors: RankTensors;
  metadata?: Record<string, number>;
  files?: Record<string, string>;
  overwrite?: boolean;
  mishap?: Mishap;
}

/** What a rank's process is asked to do. */
export type RankCommand =
  | { kind: 'open'; writer: number; root: string; options: WriterOptions }
  | { kind: 'save'; writer: number; request: RankRequest }
  | { kind: 'close'; writer: number }
  /** Closes all writers at once, saves under way or not. */
  | { kind: 'reset' };

/** An error, as far as a message can carry it. */
export interface RankFailure {
  code?: SnapshardErrorCode;
  message: string;
  ranks?: readonly number[];
  errno?: string;
}

export interface RankPublished {
  path: string;
  digest: string;
}

export type RankReply<Value> = { value: Value } | { failure: RankFailure };

/** Reason of the signals that {@link Mishap}s abort. */
export const abortMessage = 'enough';

/** Of the dtypes whose elements are whole bytes. */
const widths: Partial<Record<Dtype, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E4M3FNUZ: 1,
  F8_E5M2FNUZ: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  U64: 8,
  F64: 8,
  C64: 8,
};

export function widthOf(dtype: Dtype): number {
  const width = widths[dtype];
  if (width === undefined) throw new Error(`No tensor of these tests is of ${dtype}`);
  return width;
}

/** Bytes of a slice, by the name of its tensor and where in it they are: each rank makes its own, and anyone checks. */
export function patternOf(name: string, { dtype, shape, globalShape = shape, origin }: RankTensor): Uint8Array {
  const seed = Buffer.from(name).reduce((sum, byte) => Math.imul(sum, 31) + byte, 7);
  const bytes = new Uint8Array(shape.reduce((product, extent) => product * extent, widthOf(dtype)));
  const rowBytes = (shape.at(-1) ?? 1) * widthOf(dtype);
  for (let at = 0, row = 0; at < bytes.length; row++) {
    const begin = firstElement(row, shape, globalShape, origin) * widthOf(dtype);
    for (let column = 0; column < rowBytes; column++) bytes[at++] = Math.imul(seed ^ (begin + column), 0x9e3779b1) >>> 24;
  }
  return dtype === 'BOOL' ? bytes.map((byte) => byte & 1) : bytes;
}

/** Where the row of a slice begins, in elements of the whole tensor. */
function firstElement(
  row: number,
  shape: readonly number[],
  globalShape: readonly number[],
  origin: readonly number[] | undefined,
): number {
  let rest = row;
  let stride = 1;
  let element = 0;
  for (let dimension = shape.length - 1; dimension >= 0; dimension--) {
    const isLast = dimension === shape.length - 1;
    const index = isLast ? 0 : rest % shape[dimension]!;
    if (!isLast) rest = Math.floor(rest / shape[dimension]!);
    element += (index + (origin?.[dimension] ?? 0)) * stride;
    stride *= globalShape[dimension]!;
  }
  return element;
}
