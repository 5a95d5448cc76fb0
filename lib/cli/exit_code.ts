import { SnapshardError, type SnapshardErrorCode } from '../errors.js';

/** What the command line ends with. */
export const ExitCode = {
  Fine: 0,
  /** Something is wrong with the data: it is damaged, or two checkpoints differ. */
  Finding: 1,
  /** It was called in a way that it does not know, or could not do what it was asked. */
  Failure: 2,
  /** By Ctrl+C, SIGTERM or SIGHUP, as shells have it. */
  Interrupted: 130,
  Terminated: 143,
  HungUp: 129,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** What is the data's fault, and nobody else's. */
const dataCodes: ReadonlySet<SnapshardErrorCode> = new Set<SnapshardErrorCode>([
  'ERR_SNAPSHARD_CORRUPT',
  'ERR_SNAPSHARD_INCOMPLETE_TENSOR',
  'ERR_SNAPSHARD_DUPLICATE_NAME',
  'ERR_SNAPSHARD_UNKNOWN_DTYPE',
]);

const codeOfSignal = { SIGINT: ExitCode.Interrupted, SIGTERM: ExitCode.Terminated, SIGHUP: ExitCode.HungUp } as const;

export type EndSignal = keyof typeof codeOfSignal;
export const endSignals = Object.keys(codeOfSignal) as EndSignal[];

/** Somebody pressed Ctrl+C, or sent a signal that means as much. */
export class Interrupted extends Error {
  readonly exitCode: ExitCode;

  constructor(signal: EndSignal = 'SIGINT') {
    super(signal === 'SIGINT' ? 'Interrupted.' : `Interrupted by ${signal}.`);
    this.exitCode = codeOfSignal[signal];
  }
}

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof Interrupted) return error.exitCode;
  return error instanceof SnapshardError && dataCodes.has(error.code) ? ExitCode.Finding : ExitCode.Failure;
}
