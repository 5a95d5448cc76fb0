import { SnapshardError } from '../errors.js';
import { describe, invalidArgument, quote } from './describe.js';
import { type Dtype, bareDtype, carriedDtypes, dtypes, isDtype } from './dtype.js';
import { visitTensors } from './entries.js';
import { validateGroup, validateTensorName } from './name.js';
import { ReplicasReader, sameReplicas } from './replicas.js';
import { copyDimensions, fillsGlobalShape, sameDimensions, tensorBytes, zeroOrigin } from './shape.js';
import { SourceCollector, usedAsSource } from './source_collector.js';
import type { CudaOf, LeaseOf, SourceTable } from './source.js';
import {
  type RankOfWorld,
  type Replicas,
  type Tensor,
  type Tensors,
  type TensorSpec,
  defaultGroup,
  isWhole,
  soleRank,
} from './tensor.js';
import { elementsOf, viewClass, viewRange } from './view.js';

export interface NormalizedTensors {
  /** In input order. */
  readonly specs: TensorSpec[];
  readonly sources: SourceTable;
}

/** The properties of a tensor, each read once, as the next read of it may give another value. */
type Unchecked = Partial<Record<keyof Tensor, unknown>>;

const properties = new Set(['dtype', 'shape', 'data', 'globalShape', 'origin', 'group', 'replicas']);

function readProperties(name: string, tensor: unknown): Unchecked {
  if (typeof tensor !== 'object' || tensor === null || Array.isArray(tensor)) {
    throw invalidArgument(`tensor ${quote(name)}`, '{ dtype, shape, data } or a typed array', tensor);
  }
  for (const property in tensor) {
    if (properties.has(property)) continue;
    throw invalidArgument(`tensor ${quote(name)}`, `only the properties ${[...properties].join(', ')}`, property);
  }
  const { dtype, shape, data, globalShape, origin, group, replicas } = tensor as Unchecked;
  return { dtype, shape, data, globalShape, origin, group, replicas };
}

function checkDtype(name: string, dtype: unknown): asserts dtype is Dtype {
  if (isDtype(dtype)) return;
  throw new SnapshardError(
    'ERR_SNAPSHARD_UNKNOWN_DTYPE',
    `Expected one of ${dtypes.join(', ')} for \`dtype\` of tensor ${quote(name)} but received ${describe(dtype)}.`,
  );
}

/** @throws {SnapshardError} `ERR_SNAPSHARD_DTYPE_MISMATCH` for a view of a class that does not carry the dtype */
export function checkCarried(name: string, dtype: Dtype, part: unknown): void {
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

function readSpec(name: string, tensor: Unchecked, replicas: Replicas | undefined): TensorSpec {
  checkDtype(name, tensor.dtype);
  const { dtype, group = defaultGroup } = tensor;
  validateGroup(name, group);
  const shape = copyDimensions(name, 'shape', tensor.shape);
  const { globalShape, origin } = readSlice(name, tensor, shape);
  if (globalShape !== shape) tensorBytes(name, dtype, globalShape);
  return { name, dtype, shape, globalShape, origin, group, bytes: tensorBytes(name, dtype, shape), replicas };
}

/** Whether `spec`, checked by an earlier save, is what `readSpec` would make of this whole tensor. */
function isSpecOf(spec: TensorSpec, name: string, tensor: Unchecked, replicas: Replicas | undefined): boolean {
  return (
    spec.name === name &&
    spec.dtype === tensor.dtype &&
    spec.group === (tensor.group === undefined ? defaultGroup : tensor.group) &&
    tensor.globalShape === undefined &&
    tensor.origin === undefined &&
    sameReplicas(spec.replicas, replicas) &&
    isWhole(spec) &&
    Array.isArray(tensor.shape) &&
    sameDimensions(spec.shape, tensor.shape)
  );
}

function bareSpec(name: string, view: ArrayBufferView): TensorSpec {
  const dtype = bareDtype(view);
  if (dtype === undefined) throw invalidArgument(`tensor ${quote(name)}`, '{ dtype, shape, data }', view);
  const shape = [elementsOf(view)];
  const origin = zeroOrigin(1);
  const bytes = viewRange(view)?.bytes ?? 0;
  return { name, dtype, shape, globalShape: shape, origin, group: defaultGroup, bytes, replicas: undefined };
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

/** What one call of {@link normalizeTensors} gathers and asks. */
interface Gathering {
  readonly collector: SourceCollector;
  readonly replicasReader: ReplicasReader;
}

function addTensor(gathering: Gathering, name: string, given: unknown, known?: TensorSpec): TensorSpec {
  const { collector } = gathering;
  if (ArrayBuffer.isView(given)) {
    const spec = bareSpec(name, given);
    collector.addPart(name, given);
    return spec;
  }
  const tensor = readProperties(name, given);
  const replicas = gathering.replicasReader.read(name, tensor.replicas);
  const isKnown = known !== undefined && isSpecOf(known, name, tensor, replicas);
  const spec = isKnown ? known : readSpec(name, tensor, replicas);
  checkBytes(spec, addData(collector, spec, tensor.data));
  return spec;
}

/**
 * Checks the tensors of a save and splits what the layout depends on from where the bytes are. Nothing is copied.
 * @param known specs of an earlier save: where a tensor is the same as the one at its index, the spec is used again
 * @param place the rank that saves: `replicas` must name it
 * @throws {SnapshardError} `INVALID_ARGUMENT`, `INVALID_NAME`, `DUPLICATE_NAME`, `UNKNOWN_DTYPE`, `DTYPE_MISMATCH`,
 *   `SHAPE_MISMATCH`, `SOURCE_DETACHED`, `CLOSED` (disposed memory), naming the tensor
 */
export function normalizeTensors(
  tensors: Tensors,
  leaseOf: LeaseOf,
  known: readonly TensorSpec[] = [],
  place: RankOfWorld = soleRank,
  cudaOf?: CudaOf,
): NormalizedTensors {
  const collector = new SourceCollector(leaseOf, usedAsSource, cudaOf);
  const gathering = { collector, replicasReader: new ReplicasReader(place) };
  const specs: TensorSpec[] = [];
  visitTensors(tensors, (name, tensor) => {
    validateTensorName(name);
    const spec = addTensor(gathering, name, tensor, known[specs.length]);
    collector.endTensor();
    specs.push(spec);
    return spec;
  });
  return { specs, sources: collector.finish() };
}
