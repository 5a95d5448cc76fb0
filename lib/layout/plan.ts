import { SnapshardError } from '../errors.js';
import { quote } from '../tensor/describe.js';
import { sameReplicas } from '../tensor/replicas.js';
import { sameDimensions } from '../tensor/shape.js';
import { type RankOfWorld, type TensorSpec, isWhole, soleRank } from '../tensor/tensor.js';
import { HeaderBuilder, headerLimitBytes } from './header.js';
import { groupFilesLimit, shardName, slicedShardName } from './names.js';
import { type Run, type Slice, orderSlices } from './order.js';
import { ownSlices } from './replicas.js';

/** The rank is 0 of 1 unless it is given. */
export interface PlanOptions extends Partial<RankOfWorld> {
  /** Tensor bytes of one file at most; a larger tensor has a file of its own. `Infinity`: one file a group. */
  readonly shardBytes: number;
}

export interface PlannedFile {
  /** Name of the shard in the step's directory. */
  readonly path: string;
  readonly group: string;
  /** Length of the file: its header and its slices. */
  readonly bytes: number;
  /** Length word, JSON and padding; a multiple of 4096 bytes. */
  readonly header: Uint8Array;
  /** Index of its first slice, and how many it holds. */
  readonly firstSlice: number;
  readonly sliceCount: number;
}

/** Which bytes go where: a pure function of the specs and the options, kept from save to save. */
export interface Plan {
  /** What it was made from, in input order. */
  readonly specs: readonly TensorSpec[];
  readonly shardBytes: number;
  /** The rank that writes it, and how many there are. */
  readonly rank: number;
  readonly worldSize: number;
  /** Whether there are several ranks, or slices of a tensor, so that names and headers are those of PyTorch DCP. */
  readonly sliced: boolean;
  readonly files: readonly PlannedFile[];
  /** Slices of each file. */
  readonly fileSlices: Uint32Array;
  /** What is written, in file order: the specs, or pieces of those that other ranks have too. */
  readonly sliceSpecs: readonly TensorSpec[];
  /** Per slice, in file order: the index of the spec it is (a piece) of, its bytes, and where it begins in its file. */
  readonly order: Uint32Array;
  readonly sliceBytes: Float64Array;
  readonly sliceOffsets: Float64Array;
  /** Bytes of all files. */
  readonly bytes: number;
}

/** Slices that share a file, and the file's header. */
interface Shard {
  readonly group: string;
  readonly slices: Slice[];
  readonly header: HeaderBuilder;
}

/** So that no offset in a file leaves the safe integers. */
const fileDataLimitBytes = 2 ** 52;

function headerTooLarge(spec: TensorSpec): SnapshardError {
  return new SnapshardError(
    'ERR_SNAPSHARD_HEADER_TOO_LARGE',
    `The name of tensor ${quote(spec.name)} has ${spec.name.length} characters, more than fits a header of less than ` +
      `${headerLimitBytes} bytes. Shorten it.`,
  );
}

/** Cuts a run into shards: a new one where the next tensor, or the header, would be too much for the last. */
function cutRun(run: Run, limitBytes: number, sliced: boolean): Shard[] {
  const shards: Shard[] = [];
  let last: Shard | undefined;
  for (const slice of run.slices) {
    const fits = last !== undefined && last.header.dataBytes + slice.spec.bytes <= limitBytes;
    if (fits && last?.header.add(slice.spec)) {
      last.slices.push(slice);
      continue;
    }
    last = { group: run.group, slices: [slice], header: new HeaderBuilder(sliced) };
    if (!last.header.add(slice.spec)) throw headerTooLarge(slice.spec);
    shards.push(last);
  }
  return shards;
}

function filesOfGroups(shards: readonly Shard[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { group } of shards) counts.set(group, (counts.get(group) ?? 0) + 1);
  for (const [group, count] of counts) {
    if (count <= groupFilesLimit) continue;
    throw new SnapshardError(
      'ERR_SNAPSHARD_INVALID_ARGUMENT',
      `Group ${quote(group)} would take ${count} files, and ${groupFilesLimit} are the most. Raise \`shardBytes\`.`,
    );
  }
  return counts;
}

function nameFiles(shards: readonly Shard[], sliced: boolean, rank: number): PlannedFile[] {
  const counts = filesOfGroups(shards);
  const numbers = new Map<string, number>();
  let firstSlice = 0;
  return shards.map(({ group, slices, header: builder }) => {
    const number = (numbers.get(group) ?? 0) + 1;
    numbers.set(group, number);
    const count = counts.get(group) ?? number;
    const path = sliced ? slicedShardName(rank, group, number, count) : shardName(group, number, count);
    const header = builder.finish();
    const file = { path, group, bytes: header.length + builder.dataBytes, header, firstSlice };
    firstSlice += slices.length;
    return { ...file, sliceCount: slices.length };
  });
}

function concatenate(shards: readonly Shard[]): Slice[] {
  const slices: Slice[] = [];
  for (const shard of shards) {
    for (const slice of shard.slices) slices.push(slice);
  }
  return slices;
}

/** Where each slice begins in its file. */
function sliceOffsets(files: readonly PlannedFile[], sliceBytes: Float64Array): Float64Array {
  const offsets = new Float64Array(sliceBytes.length);
  for (const { header, firstSlice, sliceCount } of files) {
    let offset = header.length;
    for (let slice = firstSlice; slice < firstSlice + sliceCount; slice += 1) {
      offsets[slice] = offset;
      offset += sliceBytes[slice] ?? 0;
    }
  }
  return offsets;
}

/**
 * @param specs of `normalizeTensors`, already checked for coverage
 * @throws {SnapshardError} `ERR_SNAPSHARD_HEADER_TOO_LARGE` (one tensor alone), `ERR_SNAPSHARD_INVALID_ARGUMENT` (more
 *   than 99,999 files in a group)
 */
export function buildPlan(specs: readonly TensorSpec[], options: PlanOptions): Plan {
  const { shardBytes, rank = soleRank.rank, worldSize = soleRank.worldSize } = options;
  const sliced = worldSize > 1 || !specs.every(isWhole);
  const limitBytes = Math.min(shardBytes, fileDataLimitBytes);
  const all = specs.map((spec, input) => ({ spec, input }));
  const own = worldSize > 1 ? ownSlices(all, { rank, worldSize }) : all;
  const shards = orderSlices(own).flatMap((run) => cutRun(run, limitBytes, sliced));
  const files = nameFiles(shards, sliced, rank);
  const slices = concatenate(shards);
  const sliceBytes = new Float64Array(slices.map(({ spec }) => spec.bytes));
  return {
    specs,
    shardBytes,
    rank,
    worldSize,
    sliced,
    files,
    fileSlices: new Uint32Array(files.map(({ sliceCount }) => sliceCount)),
    sliceSpecs: slices.map(({ spec }) => spec),
    order: new Uint32Array(slices.map(({ input }) => input)),
    sliceBytes,
    sliceOffsets: sliceOffsets(files, sliceBytes),
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
  };
}

function sameSpec(left: TensorSpec, right: TensorSpec | undefined): boolean {
  if (left === right) return true;
  if (right === undefined) return false;
  return (
    left.name === right.name &&
    left.dtype === right.dtype &&
    left.group === right.group &&
    sameReplicas(left.replicas, right.replicas) &&
    sameDimensions(left.shape, right.shape) &&
    sameDimensions(left.globalShape, right.globalShape) &&
    sameDimensions(left.origin, right.origin)
  );
}

/** Whether a plan can serve these specs, in this order, as it is. */
export function planMatches(plan: Plan, specs: readonly TensorSpec[], options: PlanOptions): boolean {
  const { shardBytes, rank = soleRank.rank, worldSize = soleRank.worldSize } = options;
  if (plan.shardBytes !== shardBytes || plan.rank !== rank || plan.worldSize !== worldSize) return false;
  if (plan.specs.length !== specs.length) return false;
  return plan.specs.every((spec, index) => sameSpec(spec, specs[index]));
}
