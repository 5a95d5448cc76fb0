import { CheckpointWriter, type Dtype, type Published, type Tensor, type WriterOptions } from 'snapshard';
import { dtypeBits, dtypes } from '../../lib/tensor/dtype.js';
import { MiB, randomBytes } from './bytes.js';

export const smallWriter: WriterOptions = { stagingBytes: 8 * MiB, blockBytes: MiB };

/** A tensor of every dtype, scalars and empty ones, some of more than a chunk, in three groups. */
export function everything(): Map<string, Tensor & { readonly data: Uint8Array }> {
  const tensors = new Map<string, Tensor & { readonly data: Uint8Array }>();
  const add = (name: string, dtype: Dtype, shape: number[], group: string): void => {
    const bytes = (shape.reduce((product, size) => product * size, 1) * dtypeBits[dtype]) / 8;
    tensors.set(name, { dtype, shape, group, data: randomBytes(bytes) });
  };
  for (const dtype of dtypes) {
    add(`${dtype}.matrix`, dtype, [12, 20], 'model');
    add(`${dtype}.empty`, dtype, [3, 0, 2], 'ema-1');
    if (dtypeBits[dtype] % 8 === 0) add(`${dtype}.scalar`, dtype, [], 'optimizer');
  }
  add('large', 'BF16', [1536, 1031], 'model');
  add('page', 'F32', [1024], 'optimizer');
  add('chunks', 'U8', [3, MiB], 'optimizer');
  add('odd/näme "quoted"\n', 'U8', [MiB + 1], 'ema-1');
  return tensors;
}

/** Part of a tensor, as a rank saves it. */
export interface Part {
  readonly origin: number[];
  readonly shape: number[];
}

/** The bytes of part of a tensor, row by row. */
export function partOf(whole: Uint8Array, elementBytes: number, shape: readonly number[], { origin, shape: size }: Part): Buffer {
  const width = (size.at(-1) ?? 1) * elementBytes;
  const rows = size.slice(0, -1).reduce((product, count) => product * count, 1);
  const part = Buffer.alloc(rows * width);
  for (let row = 0; row < rows; row += 1) {
    let rest = row;
    let from = origin.at(-1) ?? 0;
    let stride = shape.at(-1) ?? 1;
    for (let dimension = shape.length - 2; dimension >= 0; dimension -= 1) {
      from += (origin[dimension]! + (rest % size[dimension]!)) * stride;
      rest = Math.floor(rest / size[dimension]!);
      stride *= shape[dimension]!;
    }
    part.set(whole.subarray(from * elementBytes, from * elementBytes + width), row * width);
  }
  return part;
}

/** Cuts a tensor into equal parts along one dimension, as far as it goes; what is left goes to the first ones. */
export function cutAlong(shape: readonly number[], dimension: number, parts: number): Part[] {
  const size = shape[dimension]!;
  let begin = 0;
  return Array.from({ length: parts }, (_, part) => {
    const count = Math.floor(size / parts) + (part < size % parts ? 1 : 0);
    const origin = shape.map(() => 0).with(dimension, begin);
    begin += count;
    return { origin, shape: shape.with(dimension, count) };
  });
}

/** Saves one step by several ranks of this process, which have tensors of their own. */
export async function saveAsRanks(
  root: string,
  worldSize: number,
  tensorsOf: (rank: number) => Iterable<readonly [string, Tensor]>,
): Promise<Published> {
  const place = { ...smallWriter, worldSize, runId: 'run', deadlineMs: 60_000 };
  const writers = await Promise.all(
    Array.from({ length: worldSize }, (_, rank) => CheckpointWriter.open(root, { ...place, rank })),
  );
  const saves = await Promise.all(writers.map((writer, rank) => writer.save({ step: 1, tensors: tensorsOf(rank) })));
  await Promise.all(writers.map((writer) => writer.close()));
  return saves[0]!;
}
