import { invalidArgument } from '../tensor/describe.js';

export function isStep(step: unknown): step is number {
  return Number.isSafeInteger(step) && (step as number) >= 0;
}

/** @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` unless the step is a safe integer from 0 on */
export function requireStep(step: unknown): asserts step is number {
  if (isStep(step)) return;
  throw invalidArgument('`step`', `an integer from 0 to ${Number.MAX_SAFE_INTEGER}`, step);
}

/** @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` unless it can be the path of a directory */
export function requireRoot(root: unknown): asserts root is string {
  if (typeof root === 'string' && root !== '' && !root.includes('\0')) return;
  throw invalidArgument('`root`', 'the path of a directory', root);
}
