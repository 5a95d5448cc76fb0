import { SnapshardError } from '../errors.js';

/** Whether this rank's own deadline has passed, and nobody has said yet who was waited for. */
export function isDeadline(reason: unknown): reason is SnapshardError {
  return (
    reason instanceof SnapshardError && reason.code === 'ERR_SNAPSHARD_DEADLINE' && reason.ranks === undefined
  );
}

/** The deadline's error, with the ranks that were waited for. */
export function withRanks(late: SnapshardError, what: string, ranks: readonly number[]): SnapshardError {
  return new SnapshardError(late.code, `${late.message} At that time, ${what}.`, { cause: late, ranks });
}
