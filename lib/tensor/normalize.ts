import type { LeaseOf, SourceTable } from './source.js';
import type { Tensors, TensorSpec } from './tensor.js';

export interface NormalizedTensors {
  /** In input order. */
  readonly specs: TensorSpec[];
  readonly sources: SourceTable;
}

/**
 * Checks the tensors of a save and splits what the layout depends on from where the bytes are. Nothing is copied.
 * @throws {SnapshardError} `INVALID_ARGUMENT`, `INVALID_NAME`, `DUPLICATE_NAME`, `UNKNOWN_DTYPE`, `DTYPE_MISMATCH`,
 *   `SHAPE_MISMATCH`, `SOURCE_DETACHED`, `CLOSED` (a disposed lease), naming the tensor
 */
export function normalizeTensors(_tensors: Tensors, _leaseOf: LeaseOf): NormalizedTensors {
  throw new Error('being written');
}
