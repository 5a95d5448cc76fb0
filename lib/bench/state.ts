/** The tensors of a workload as one rank holds them: in memory of its own, and filled. */
import type { Tensor } from '../tensor/tensor.js';
import { fillTensor, workloadTensors, type WorkloadSpec, type WorkloadTensor } from './workload.js';

/** Larger tensors are several views, since an `ArrayBuffer` has a limit. */
export const viewBytesMax = 2 ** 30;

/** What is saved of a rank: of one that others have too, its slice of the whole. */
export function makeState(spec: WorkloadSpec, rank: number): Map<string, Tensor> {
  const state = new Map<string, Tensor>();
  describeState(spec, rank).forEach(({ tensor, ...slice }, index) => {
    const { name, dtype, shape, group } = tensor;
    const seed = ((spec.seed * 1_000_003) ^ (rank * 65_537 + index)) >>> 0;
    state.set(slice.name ?? name, { dtype, shape, group, data: makeData(tensor, seed), ...slice.place });
  });
  return state;
}

interface Part {
  tensor: WorkloadTensor;
  /** Where it is not the tensor's own. */
  name?: string;
  /** In the whole that the ranks have together, cut by rows. */
  place?: { globalShape: readonly number[]; origin: readonly number[] };
}

/** How the tensors of a rank fit those of the others. */
export function describeState(spec: WorkloadSpec, rank: number): Part[] {
  const own = workloadTensors(spec, rank);
  if (spec.ranks === 1) return own.map((tensor) => ({ tensor }));
  const byRank = Array.from({ length: spec.ranks }, (_, other) => {
    return new Map(workloadTensors(spec, other).map((tensor) => [tensor.name, tensor]));
  });
  return own.map((tensor) => partOf(tensor, rank, byRank));
}

function partOf(tensor: WorkloadTensor, rank: number, byRank: readonly ReadonlyMap<string, WorkloadTensor>[]): Part {
  const holders = byRank.map((tensors) => tensors.get(tensor.name));
  if (holders.every((holder, other) => other === rank || holder === undefined)) return { tensor };
  const rows = holders.map((holder) => (holder === undefined ? 0 : rowsBeside(tensor, holder)));
  // What cannot be put together, such as a scalar that each has, is saved under a name of each one's own.
  if (rows.includes(undefined)) return { tensor, name: `${tensor.name}.rank-${rank}` };
  const sum = (counts: readonly (number | undefined)[]): number => counts.reduce<number>((all, one) => all + (one ?? 0), 0);
  const [, ...rest] = tensor.shape;
  const origin = [sum(rows.slice(0, rank)), ...rest.map(() => 0)];
  return { tensor, place: { globalShape: [sum(rows), ...rest], origin } };
}

/** Rows of a tensor that lies above or below this one in the whole; `undefined` where it does not fit. */
function rowsBeside(tensor: WorkloadTensor, other: WorkloadTensor): number | undefined {
  const [rows, ...rest] = other.shape;
  const fits = other.dtype === tensor.dtype && other.group === tensor.group && other.shape.length === tensor.shape.length;
  return fits && rest.every((extent, index) => extent === tensor.shape[index + 1]) ? rows : undefined;
}

function makeData(tensor: WorkloadTensor, seed: number): Uint8Array[] {
  const count = Math.max(1, Math.ceil(tensor.bytes / viewBytesMax));
  return Array.from({ length: count }, (_, index) => {
    const view = new Uint8Array(Math.min(viewBytesMax, tensor.bytes - index * viewBytesMax));
    fillTensor(tensor, view, seed + index);
    return view;
  });
}
