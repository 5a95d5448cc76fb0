/** What is saved: a list of tensors for each rank, which any process can make again from the same few words. */
import { SnapshardError } from '../errors.js';
import { sizeIn } from '../cli/text.js';
import type { Dtype } from '../tensor/dtype.js';
import { cutTensors, groupBy, sumBytes } from './cut.js';
import { mlperfLargestBytes, mlperfRanks, mlperfTensors, type MlperfModel } from './mlperf.js';
import type { Workload } from './result.js';

export interface WorkloadTensor {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly group: string;
  readonly bytes: number;
}

/** How much of each rank is kept: all, unless one of the two is given. The ranks keep their proportions. */
export interface WorkloadCut {
  /** Bytes of the largest rank. */
  readonly bytes?: number;
  /** Above 0, at most 1. */
  readonly fraction?: number;
}

/** One rank of a checkpoint of the benchmark of that name. */
export interface MlperfWorkload extends WorkloadCut {
  readonly kind: 'mlperf';
  readonly model: MlperfModel;
}

/** For each rank, `count` bf16 tensors of `bytes` in all. */
export interface TensorsWorkload {
  readonly kind: 'tensors';
  readonly count: number;
  readonly bytes: number;
}

/** What each rank of a checkpoint wrote, made by {@link specLike}; where there are more ranks here, it repeats. */
export interface LikeWorkload extends WorkloadCut {
  readonly kind: 'like';
  readonly path: string;
  readonly shares: readonly (readonly WorkloadTensor[])[];
}

/** Nothing but JSON, so that it can be sent to another process. */
export type WorkloadSpec = {
  readonly seed: number;
  /** How many ranks are measured here; with `mlperf` and `like` they are the first ones of the checkpoint's. */
  readonly ranks: number;
} & (MlperfWorkload | TensorsWorkload | LikeWorkload);

/**
 * The tensors of one rank. No two ranks have a name in common, so that they can save one checkpoint.
 * @throws {SnapshardError} `INVALID_ARGUMENT` for a rank, count or size that the workload does not have
 */
export function workloadTensors(spec: WorkloadSpec, rank: number): WorkloadTensor[] {
  requireRank(spec, rank);
  if (spec.kind === 'tensors') return ownNames(spec, rank, evenTensors(spec));
  const fraction = cutFraction(spec);
  if (spec.kind === 'mlperf') return cutTensors(mlperfTensors(spec.model, rank), fraction);
  return ownNames(spec, rank, cutTensors(spec.shares[rank % spec.shares.length]!, fraction));
}

/**
 * What a result tells of a workload.
 * @throws {SnapshardError} as {@link workloadTensors}
 */
export function describeWorkload(spec: WorkloadSpec): Workload {
  const tensors = Array.from({ length: spec.ranks }, (_, rank) => workloadTensors(spec, rank)).flat();
  const kinds = groupBy(tensors, ({ group, dtype }) => JSON.stringify([group, dtype]));
  const mix = Array.from(kinds.values(), (members) => {
    const { group, dtype } = members[0]!;
    return { group, dtype, tensors: members.length, bytes: sumBytes(members) };
  });
  const { seed, ranks } = spec;
  return { label: labelOf(spec), seed, ranks, bytes: sumBytes(tensors), tensors: tensors.length, mix };
}

function evenTensors({ count, bytes }: TensorsWorkload): WorkloadTensor[] {
  const elements = Math.floor(bytes / 2);
  return Array.from({ length: count }, (_, index): WorkloadTensor => {
    const share = Math.floor(((index + 1) * elements) / count) - Math.floor((index * elements) / count);
    return { name: `layers.${index}.weight`, dtype: 'BF16', shape: [share], group: 'model', bytes: share * 2 };
  });
}

function ownNames({ ranks }: WorkloadSpec, rank: number, tensors: WorkloadTensor[]): WorkloadTensor[] {
  return ranks === 1 ? tensors : tensors.map((tensor) => ({ ...tensor, name: `rank${rank}.${tensor.name}` }));
}

function cutFraction(spec: MlperfWorkload | LikeWorkload): number {
  const { bytes, fraction } = spec;
  if (bytes === undefined) return fraction ?? 1;
  const whole = wholeBytes(spec);
  if (bytes <= whole) return bytes / whole;
  throw invalid(`${nameOf(spec)} has ${sizeIn(whole)} on its largest rank, less than the ${sizeIn(bytes)} asked for`);
}

function wholeBytes(spec: MlperfWorkload | LikeWorkload): number {
  return spec.kind === 'mlperf' ? mlperfLargestBytes(spec.model) : Math.max(...spec.shares.map(sumBytes));
}

function requireRank(spec: WorkloadSpec, rank: number): void {
  const { kind, ranks } = spec;
  if (!Number.isSafeInteger(ranks) || ranks < 1)
    throw invalid(`Expected a whole number of ranks but received ${ranks}`);
  if (!Number.isSafeInteger(rank) || rank < 0 || rank >= ranks) throw invalid(`There is no rank ${rank} of ${ranks}`);
  if (kind === 'mlperf' && ranks > mlperfRanks(spec.model)) {
    throw invalid(`${nameOf(spec)} has ${mlperfRanks(spec.model)} ranks, fewer than the ${ranks} asked for`);
  }
  if (kind === 'tensors') requireEven(spec);
  else requireCut(spec);
}

function requireEven({ count, bytes }: TensorsWorkload): void {
  const fits = Number.isSafeInteger(count) && count >= 1 && Number.isSafeInteger(bytes) && bytes >= 2 * count;
  if (!fits)
    throw invalid(`Expected one tensor or more, of 2 bytes or more each, but received ${count} of ${bytes} bytes`);
}

function requireCut({ bytes, fraction }: WorkloadCut): void {
  if (bytes !== undefined && fraction !== undefined)
    throw invalid('A workload is cut to bytes or to a fraction, not both');
  if (bytes !== undefined && !(Number.isSafeInteger(bytes) && bytes > 0)) {
    throw invalid(`Expected the bytes of a workload to be a positive whole number but received ${bytes}`);
  }
  if (fraction !== undefined && !(fraction > 0 && fraction <= 1)) {
    throw invalid(`Expected the fraction of a workload to be above 0 and at most 1 but received ${fraction}`);
  }
}

function labelOf(spec: WorkloadSpec): string {
  if (spec.kind === 'tensors') {
    const each = spec.ranks === 1 ? '' : ` on each of ${spec.ranks} ranks`;
    return `${spec.count === 1 ? '1 tensor' : `${spec.count} tensors`} of ${sizeIn(spec.bytes)} in all${each}`;
  }
  const world = spec.kind === 'mlperf' ? mlperfRanks(spec.model) : spec.shares.length;
  const ranks = spec.ranks === 1 ? 'rank 0' : `ranks 0 to ${spec.ranks - 1}`;
  return [nameOf(spec), ...(world === 1 && spec.ranks === 1 ? [] : [`${ranks} of ${world}`]), ...cutText(spec)].join(
    ', ',
  );
}

function cutText({ bytes, fraction }: WorkloadCut): string[] {
  if (bytes !== undefined) return [`cut to ${sizeIn(bytes)}`];
  return fraction === undefined ? [] : [`cut to ${Number((100 * fraction).toPrecision(3))} %`];
}

function nameOf(spec: MlperfWorkload | LikeWorkload): string {
  if (spec.kind === 'like') return `shapes of ${spec.path}`;
  return `${spec.model === '1T' ? '1T' : `Llama 3 ${spec.model}`} as in MLPerf Storage`;
}

function invalid(message: string): SnapshardError {
  return new SnapshardError('ERR_SNAPSHARD_INVALID_ARGUMENT', `${message}.`);
}
