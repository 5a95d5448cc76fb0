import { SnapshardError, type SnapshardErrorCode } from '../errors.js';

/** What the command line ends with. */
export const ExitCode = {
  Fine: 0,
  /** Something is wrong with the data: it is damaged, or two checkpoints differ. */
  Finding: 1,
  /** It was called in a way that it does not know, or could not do what it was asked. */
  Failure: 2,
  /** By Ctrl+C, as shells have it. */
  Interrupted: 130,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** What is the data's fault, and nobody else's. */
const dataCodes: ReadonlySet<SnapshardErrorCode> = new Set<SnapshardErrorCode>([
  'ERR_SNAPSHARD_CORRUPT',
  'ERR_SNAPSHARD_INCOMPLETE_TENSOR',
  'ERR_SNAPSHARD_DUPLICATE_NAME',
  'ERR_SNAPSHARD_UNKNOWN_DTYPE',
]);

/** Somebody pressed Ctrl+C. */
export class Interrupted extends Error {
  constructor() {
    super('Interrupted.');
  }
}

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof Interrupted) return ExitCode.Interrupted;
  return error instanceof SnapshardError && dataCodes.has(error.code) ? ExitCode.Finding : ExitCode.Failure;
}
