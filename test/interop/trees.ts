import { createHash, randomFillSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CheckpointWriter, type Dtype, type SaveRequest, type TensorInput, type WriterOptions } from 'snapshard';

/** Bits of one element, written down here again: the library's own table is what is tested. */
export const bitsOf: Record<Dtype, number> = {
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
};

export const everyDtype = Object.keys(bitsOf) as Dtype[];

/** What torch calls them; the two that are absent have no torch dtype. */
export const torchDtypes: Partial<Record<Dtype, string>> = {
  BOOL: 'bool',
  F4: 'float4_e2m1fn_x2',
  U8: 'uint8',
  I8: 'int8',
  F8_E5M2: 'float8_e5m2',
  F8_E4M3: 'float8_e4m3fn',
  F8_E8M0: 'float8_e8m0fnu',
  F8_E4M3FNUZ: 'float8_e4m3fnuz',
  F8_E5M2FNUZ: 'float8_e5m2fnuz',
  I16: 'int16',
  U16: 'uint16',
  F16: 'float16',
  BF16: 'bfloat16',
  I32: 'int32',
  U32: 'uint32',
  F32: 'float32',
  C64: 'complex64',
  F64: 'float64',
  I64: 'int64',
  U64: 'uint64',
};

export interface RawTensor {
  dtype: Dtype;
  shape: number[];
  data: Uint8Array;
}

export function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** Random bytes of that dtype and shape; booleans are 0 or 1, as readers demand. */
export function randomTensor(dtype: Dtype, shape: number[]): RawTensor {
  const elements = shape.reduce((product, extent) => product * extent, 1);
  const data = randomFillSync(new Uint8Array((elements * bitsOf[dtype]) / 8));
  return { dtype, shape, data: dtype === 'BOOL' ? data.map((byte) => byte & 1) : data };
}

/** A sector, a page, a chunk and a block. */
const boundaries = [512, 4096, 2 ** 20, 2 ** 22];

/** Every dtype as a matrix, a scalar, aligned and empty; and sizes on both sides of every boundary. */
export function everyShape(): Map<string, RawTensor> {
  const tensors = new Map<string, RawTensor>();
  for (const dtype of everyDtype) {
    tensors.set(`matrix.${dtype}`, randomTensor(dtype, [24, 16]));
    tensors.set(`empty.${dtype}`, randomTensor(dtype, [3, 0, 2]));
    tensors.set(`aligned.${dtype}`, randomTensor(dtype, [4096, 8]));
    if (bitsOf[dtype] >= 8) tensors.set(`scalar.${dtype}`, randomTensor(dtype, []));
  }
  for (const bytes of [1, ...boundaries.flatMap((boundary) => [boundary - 1, boundary, boundary + 1])]) {
    tensors.set(`bytes.${bytes}`, randomTensor('U8', [bytes]));
  }
  tensors.set('names/with "quotes" \\ and ünïcödé 𝛼.weight', randomTensor('F32', [2, 3, 4]));
  return tensors;
}

export interface Scratch {
  root: string;
  /** Saves into a fresh root with a fresh writer; resolves to the folder of the step. */
  save(request: Omit<SaveRequest, 'step'>, options?: WriterOptions): Promise<string>;
  remove(): void;
}

export function makeScratch(): Scratch {
  const root = mkdtempSync(join(tmpdir(), 'snapshard-interop-'));
  return {
    root,
    async save(request, options = {}) {
      const writer = await CheckpointWriter.open(mkdtempSync(join(root, 'run-')), {
        stagingBytes: 2 ** 26,
        ...options,
      });
      try {
        return (await writer.save({ step: 1, ...request })).path;
      } finally {
        await writer.close();
      }
    },
    remove() {
      rmSync(root, { recursive: true, force: true });
    },
  };
}

export type Slices = [name: string, tensor: TensorInput][];

/** Cuts a tensor of two dimensions into `parts` slices along its rows. */
export function sliceRows(name: string, tensor: RawTensor, parts: number): Slices {
  const [rows = 0, columns = 0] = tensor.shape;
  const rowBytes = tensor.data.length / rows;
  return Array.from({ length: parts }, (_, part) => {
    const from = Math.floor((rows * part) / parts);
    const to = Math.floor((rows * (part + 1)) / parts);
    const data = tensor.data.subarray(from * rowBytes, to * rowBytes);
    return [
      name,
      { dtype: tensor.dtype, shape: [to - from, columns], globalShape: tensor.shape, origin: [from, 0], data },
    ];
  });
}
