import { dtypeBits } from '../tensor/dtype.js';
import { tensorBytes, zeroOrigin } from '../tensor/shape.js';
import { elementsOf, type Region } from './boxes.js';
import type { StoredSlice, StoredTensor } from './stored.js';

/** Where a slice begins in the bytes of its tensor, if it is one range of them. */
function rangeBegin({ shape, dtype }: StoredTensor, slice: StoredSlice): number | undefined {
  const first = slice.shape.findIndex((size) => size !== 1);
  const inner = first === -1 ? shape.length : first + 1;
  for (let dimension = inner; dimension < shape.length; dimension += 1) {
    if (slice.shape[dimension] !== shape[dimension]) return undefined;
  }
  const begin = slice.origin.reduce((position, index, dimension) => position * shape[dimension]! + index, 0);
  const bits = dtypeBits[dtype];
  return bits % 8 === 0 ? begin * (bits / 8) : (begin * bits) / 8;
}

/**
 * The tensor as a row of bytes, which can be cut anywhere, at the edges of chunks best; `undefined` where some slice is
 * more than one range of it (columns).
 */
export function asBytes(tensor: StoredTensor): StoredTensor | undefined {
  const { name, dtype, shape, group } = tensor;
  const slices: StoredSlice[] = [];
  for (const slice of tensor.slices) {
    const begin = rangeBegin(tensor, slice);
    if (begin === undefined || !Number.isInteger(begin)) return undefined;
    slices.push({ ...slice, origin: [begin], shape: [slice.end - slice.begin] });
  }
  return { name, dtype: 'U8', shape: [tensorBytes(name, dtype, shape)], group, slices };
}

/** Regions that follow each other in C order, each of at most so many bytes, or of one element. */
export function* cutRegions({ dtype, shape }: StoredTensor, pieceBytes: number): Generator<Region, void, undefined> {
  if (shape.includes(0)) return;
  const bits = dtypeBits[dtype];
  const elementsMax = Math.max(1, Math.floor((pieceBytes * 8) / bits));
  let split = shape.length - 1;
  let elements = 1;
  while (split > 0 && elements * shape[split]! <= elementsMax) {
    elements *= shape[split]!;
    split -= 1;
  }
  const rows = Math.max(1, Math.floor(elementsMax / elements));
  // Eight elements of any width are whole bytes.
  const fitting = bits % 8 !== 0 && rows > 8 ? rows - (rows % 8) : rows;
  if (split < 0) yield { origin: [], shape: [] };
  else yield* rowsOf(shape, split, fitting);
}

/** Regions of so many rows along one dimension, all of the later ones, and one index of the earlier ones. */
function* rowsOf(shape: readonly number[], split: number, rows: number): Generator<Region, void, undefined> {
  const outer = shape.slice(0, split);
  const count = elementsOf({ origin: outer, shape: outer });
  for (let turn = 0; turn < count; turn += 1) {
    const at = indexOf(outer, turn);
    for (let row = 0; row < shape[split]!; row += rows) {
      const size = Math.min(rows, shape[split]! - row);
      const rest = shape.slice(split + 1);
      yield { origin: [...at, row, ...zeroOrigin(rest.length)], shape: [...outer.map(() => 1), size, ...rest] };
    }
  }
}

function indexOf(shape: readonly number[], position: number): number[] {
  const index = new Array<number>(shape.length);
  let rest = position;
  for (let dimension = shape.length - 1; dimension >= 0; dimension -= 1) {
    index[dimension] = rest % shape[dimension]!;
    rest = Math.floor(rest / shape[dimension]!);
  }
  return index;
}
