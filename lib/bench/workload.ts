/** What is saved: a list of tensors for each rank, which any process can make again from the same few words. */
import type { Dtype } from '../tensor/dtype.js';

export interface WorkloadTensor {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly group: string;
  readonly bytes: number;
}

export type WorkloadSpec = {
  readonly seed: number;
  /** How many ranks are measured here; with `mlperf` they are the first ones of the model's. */
  readonly ranks: number;
} & (
  | { readonly kind: 'mlperf'; readonly model: '8B' | '70B' | '405B' | '1T'; readonly bytes?: number; readonly fraction?: number }
  | { readonly kind: 'tensors'; readonly count: number; readonly bytes: number }
  | { readonly kind: 'like'; readonly tensors: readonly WorkloadTensor[]; readonly bytes?: number; readonly fraction?: number }
);
