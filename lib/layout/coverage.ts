import type { TensorSpec } from '../tensor/tensor.js';

/**
 * Checks that the slices of each tensor agree with each other and cover it exactly.
 * @throws {SnapshardError} `ERR_SNAPSHARD_SHAPE_MISMATCH` where slices disagree on dtype, group or global shape;
 *   `ERR_SNAPSHARD_INCOMPLETE_TENSOR` naming the tensor and a range that is missing or there twice
 */
export function checkCoverage(_specs: readonly TensorSpec[]): void {}
