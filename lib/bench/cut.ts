/** Makes a list of tensors smaller and keeps what it is like. */
import { SnapshardError } from '../errors.js';
import { sizeIn } from '../cli/text.js';
import { dtypeBits } from '../tensor/dtype.js';
import { elementsOf } from './llama.js';
import type { WorkloadTensor } from './workload.js';

/**
 * Cuts to `fraction` of the bytes: never above it, and below by less than a row of some tensor. Of tensors that are
 * alike but for a number in their names (the layers of a model) fewer are left; then all lose rows alike. So each
 * group and dtype keeps its share, and large tensors stay large beside small ones. Scalars and empty tensors stay.
 * @throws {SnapshardError} `INVALID_ARGUMENT` where not even one row of each kind of tensor fits
 */
export function cutTensors(tensors: readonly WorkloadTensor[], fraction: number): WorkloadTensor[] {
  if (fraction >= 1) return [...tensors];
  const families = groupBy(tensors, familyOf);
  const kept = new Map<WorkloadTensor, WorkloadTensor>();
  for (const members of families.values()) {
    const left = Math.ceil(members.length * fraction);
    const scale = (members.length * fraction) / left;
    for (const tensor of members.slice(0, left)) kept.set(tensor, scaleRows(tensor, scale));
  }
  const wantedBytes = Math.round(sumBytes(tensors) * fraction);
  const cut = tensors.flatMap((tensor) => kept.get(tensor) ?? []);
  return settle(cut, wantedBytes);
}

export function groupBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const members = groups.get(key);
    if (members) members.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

export function sumBytes(tensors: readonly WorkloadTensor[]): number {
  return tensors.reduce((sum, { bytes }) => sum + bytes, 0);
}

function familyOf({ name, dtype, shape, group }: WorkloadTensor): string {
  return JSON.stringify([name.replace(/\d+/g, '#'), dtype, shape, group]);
}

const largestUnit = 2048;
/** Of a tensor, by what rounding left over: a small one stays small. */
const mostGrowth = 0.01;

/** What rounding added or left over goes to the largest tensors, until less than a row is left. */
function settle(tensors: WorkloadTensor[], wantedBytes: number): WorkloadTensor[] {
  const settled = [...tensors];
  const largestFirst = settled.map((_, index) => index).sort((a, b) => tensors[b]!.bytes - tensors[a]!.bytes);
  let excess = sumBytes(tensors) - wantedBytes;
  for (const index of largestFirst) {
    const tensor = settled[index]!;
    const unit = rowUnit(tensor);
    if (unit.bytes === 0) continue;
    const less = Math.ceil(excess / unit.bytes);
    if (-less * unit.bytes > tensor.bytes * mostGrowth) continue;
    settled[index] = withRows(tensor, Math.max(unit.rows, tensor.shape[0]! - less * unit.rows));
    excess += settled[index].bytes - tensor.bytes;
  }
  if (excess > 0) throw tooSmall(wantedBytes, wantedBytes + excess);
  return settled;
}

function scaleRows(tensor: WorkloadTensor, scale: number): WorkloadTensor {
  const unit = rowUnit(tensor);
  if (unit.bytes === 0) return tensor;
  const units = Math.max(1, Math.round((tensor.bytes / unit.bytes) * scale));
  return withRows(tensor, units * unit.rows);
}

/** How many rows a tensor loses or keeps together, so that it ends on a byte. Of a scalar or an empty tensor: none. */
function rowUnit({ dtype, shape }: WorkloadTensor): { rows: number; bytes: number } {
  const [length = 0, ...others] = shape;
  const rowBits = elementsOf(others) * dtypeBits[dtype];
  if (length === 0 || rowBits === 0) return { rows: 0, bytes: 0 };
  let rows = others.length === 0 ? roundness(length) : 1;
  while ((rows * rowBits) % 8 !== 0) rows *= 2;
  return { rows, bytes: (rows * rowBits) / 8 };
}

/** Flat tensors stay as well aligned as they were. */
function roundness(length: number): number {
  let unit = 1;
  while (unit < largestUnit && length % (2 * unit) === 0) unit *= 2;
  return unit;
}

function withRows(tensor: WorkloadTensor, rows: number): WorkloadTensor {
  const shape = [rows, ...tensor.shape.slice(1)];
  return { ...tensor, shape, bytes: (elementsOf(shape) * dtypeBits[tensor.dtype]) / 8 };
}

function tooSmall(wantedBytes: number, leastBytes: number): SnapshardError {
  const message =
    `The workload cannot be cut to ${sizeIn(wantedBytes)}: with one row of each kind of tensor it has ` +
    `${sizeIn(leastBytes)}. Give more bytes.`;
  return new SnapshardError('ERR_SNAPSHARD_INVALID_ARGUMENT', message);
}
