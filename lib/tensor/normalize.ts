import { SnapshardError } from '../errors.js';
import { describe, invalidArgument, quote } from './describe.js';
import { type Dtype, bareDtype, carriedDtypes, dtypes, isDtype, viewClass } from './dtype.js';
import { visitTensors } from './entries.js';
import { validateGroup, validateTensorName } from './name.js';
import { copyDimensions, fillsGlobalShape, sameDimensions, tensorBytes, zeroOrigin } from './shape.js';
import { SourceCollector } from './source_collector.js';
import type { LeaseOf, SourceTable } from './source.js';
import { type Tensors, type TensorSpec, defaultGroup, isWhole } from './tensor.js';

export interface NormalizedTensors {
  /** In input order. */
  readonly specs: TensorSpec[];
  readonly sources: SourceTable;
}

/** The properties of a tensor, not yet looked at. */
type Unchecked = Partial<Record<'dtype' | 'shape' | 'data' | 'globalShape' | 'origin' | 'group', unknown>>;

const properties = new Set(['dtype', 'shape', 'data', 'globalShape', 'origin', 'group']);

function checkProperties(name: string, tensor: unknown): asserts tensor is Unchecked {
  if (typeof tensor !== 'object' || tensor === null || Array.isArray(tensor)) {
    throw invalidArgument(`tensor ${quote(name)}`, '{ dtype, shape, data } or a typed array', tensor);
  }
  for (const property in tensor) {
    if (properties.has(property)) continue;
    throw invalidArgument(`tensor ${quote(name)}`, `only the properties ${[...properties].join(', ')}`, property);
  }
}

function checkDtype(name: string, dtype: unknown): asserts dtype is Dtype {
  if (isDtype(dtype)) return;
  throw new SnapshardError(
    'ERR_SNAPSHARD_UNKNOWN_DTYPE',
    `Expected one of ${dtypes.join(', ')} for \`dtype\` of tensor ${quote(name)} but received ${describe(dtype)}.`,
  );
}

function checkCarried(name: string, dtype: Dtype, part: unknown): void {
  if (!ArrayBuffer.isView(part)) return;
  const className = viewClass(part);
  const carried = carriedDtypes(className);
  if (carried === undefined || carried.includes(dtype)) return;
  throw new SnapshardError(
    'ERR_SNAPSHARD_DTYPE_MISMATCH',
    `Tensor ${quote(name)} is ${dtype}, but a ${className} holds ${carried.join(', ')}. ` +
      `Pass a view of that dtype, or a Uint8Array over the same memory for raw bytes.`,
  );
}

function readSlice(
  name: string,
  { globalShape, origin }: Unchecked,
  shape: readonly number[],
): Pick<TensorSpec, 'globalShape' | 'origin'> {
  if (globalShape === undefined && origin === undefined)
    return { globalShape: shape, origin: zeroOrigin(shape.length) };
  const slice = {
    shape,
    globalShape: copyDimensions(name, 'globalShape', globalShape),
    origin: copyDimensions(name, 'origin', origin),
  };
  return fillsGlobalShape(name, slice) ? { globalShape: shape, origin: slice.origin } : slice;
}

function readSpec(name: string, tensor: Unchecked): TensorSpec {
  checkDtype(name, tensor.dtype);
  const { dtype, group = defaultGroup } = tensor;
  validateGroup(name, group);
  const shape = copyDimensions(name, 'shape', tensor.shape);
  const { globalShape, origin } = readSlice(name, tensor, shape);
  if (globalShape !== shape) tensorBytes(name, dtype, globalShape);
  return { name, dtype, shape, globalShape, origin, group, bytes: tensorBytes(name, dtype, shape) };
}

/** Whether `spec`, checked by an earlier save, is what `readSpec` would make of this whole tensor. */
function isSpecOf(spec: TensorSpec, name: string, tensor: Unchecked): boolean {
  return (
    spec.name === name &&
    spec.dtype === tensor.dtype &&
    spec.group === (tensor.group === undefined ? defaultGroup : tensor.group) &&
    tensor.globalShape === undefined &&
    tensor.origin === undefined &&
    isWhole(spec) &&
    Array.isArray(tensor.shape) &&
    sameDimensions(spec.shape, tensor.shape)
  );
}

function bareSpec(name: string, view: ArrayBufferView): TensorSpec {
  const dtype = bareDtype(view);
  if (dtype === undefined) throw invalidArgument(`tensor ${quote(name)}`, '{ dtype, shape, data }', view);
  const shape = [(view as Uint8Array).length];
  return { name, dtype, shape, globalShape: shape, origin: zeroOrigin(1), group: defaultGroup, bytes: view.byteLength };
}

function checkBytes(spec: TensorSpec, bytes: number): void {
  if (bytes === spec.bytes) return;
  throw new SnapshardError(
    'ERR_SNAPSHARD_SHAPE_MISMATCH',
    `Expected ${spec.bytes} bytes of data for tensor ${quote(spec.name)} (${spec.dtype}, shape ` +
      `${describe(spec.shape)}) but received ${bytes} bytes.`,
  );
}

function addPart(collector: SourceCollector, { name, dtype }: TensorSpec, part: unknown): number {
  checkCarried(name, dtype, part);
  return collector.addPart(name, part);
}

function addData(collector: SourceCollector, spec: TensorSpec, data: unknown): number {
  if (!Array.isArray(data)) return addPart(collector, spec, data);
  let bytes = 0;
  for (const part of data as unknown[]) bytes += addPart(collector, spec, part);
  return bytes;
}

function addTensor(collector: SourceCollector, name: string, tensor: unknown, known?: TensorSpec): TensorSpec {
  if (ArrayBuffer.isView(tensor)) {
    const spec = bareSpec(name, tensor);
    collector.addPart(name, tensor);
    return spec;
  }
  checkProperties(name, tensor);
  const spec = known !== undefined && isSpecOf(known, name, tensor) ? known : readSpec(name, tensor);
  checkBytes(spec, addData(collector, spec, tensor.data));
  return spec;
}

/**
 * Checks the tensors of a save and splits what the layout depends on from where the bytes are. Nothing is copied.
 * @param known specs of an earlier save: where a tensor is the same as the one at its index, the spec is used again
 * @throws {SnapshardError} `INVALID_ARGUMENT`, `INVALID_NAME`, `DUPLICATE_NAME`, `UNKNOWN_DTYPE`, `DTYPE_MISMATCH`,
 *   `SHAPE_MISMATCH`, `SOURCE_DETACHED`, `CLOSED` (a disposed lease), naming the tensor
 */
export function normalizeTensors(
  tensors: Tensors,
  leaseOf: LeaseOf,
  known: readonly TensorSpec[] = [],
): NormalizedTensors {
  const collector = new SourceCollector(leaseOf);
  const specs: TensorSpec[] = [];
  visitTensors(tensors, (name, tensor) => {
    validateTensorName(name);
    const spec = addTensor(collector, name, tensor, known[specs.length]);
    collector.endTensor();
    specs.push(spec);
    return spec;
  });
  return { specs, sources: collector.finish() };
}
