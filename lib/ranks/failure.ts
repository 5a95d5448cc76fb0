import { SnapshardError, type SnapshardErrorCode } from '../errors.js';
import { ranksText } from '../layout/ranks_text.js';

/** Why a save, or the meeting of a run, came to nothing: as one rank tells the others. */
export interface Failure {
  readonly code: SnapshardErrorCode;
  readonly message: string;
  readonly ranks: readonly number[];
}

/** What is the same for every rank that hears of it. */
const sharedCodes: readonly SnapshardErrorCode[] = ['ERR_SNAPSHARD_STEP_EXISTS'];
const textLimit = 2000;
/** Of a record, with the numbers of all ranks that there can be. */
export const recordLimitBytes = 1024 * 1024;

/** What the other ranks are to be told of what happened to `rank`. */
export function describeFailure(rank: number, reason: unknown): Failure {
  const text = (reason instanceof Error ? reason.message : String(reason)).slice(0, textLimit);
  if (reason instanceof SnapshardError) {
    if (reason.ranks !== undefined) return { code: reason.code, message: text, ranks: reason.ranks };
    if (sharedCodes.includes(reason.code)) return { code: reason.code, message: text, ranks: [rank] };
  }
  return { code: 'ERR_SNAPSHARD_RANK_FAILED', message: `Rank ${rank} gave the save up: ${text}`, ranks: [rank] };
}

/** Several ranks' failures, as one. */
export function joinFailures(failures: readonly Failure[]): Failure {
  const [first] = failures;
  if (first !== undefined && failures.length === 1) return first;
  const ranks = [...new Set(failures.flatMap((failure) => failure.ranks))].sort((left, right) => left - right);
  const message = `${ranksText(ranks)} gave the save up. ${first?.message ?? ''}`;
  return { code: first?.code ?? 'ERR_SNAPSHARD_RANK_FAILED', message: capital(message), ranks };
}

export function toError({ code, message, ranks }: Failure): SnapshardError {
  return new SnapshardError(code, message, { ranks });
}

export function encodeFailure(failure: Failure): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(failure)}\n`);
}

/** What a rank said; of one that could not say it all, at least who it is. */
export function decodeFailure(bytes: Uint8Array, rank: number): Failure {
  try {
    return parseFailure(JSON.parse(new TextDecoder().decode(bytes))) ?? unexplained(rank);
  } catch {
    return unexplained(rank);
  }
}

/** `undefined` for what is none. */
export function parseFailure(value: unknown): Failure | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { code, message, ranks } = value as Partial<Record<keyof Failure, unknown>>;
  return isCode(code) && typeof message === 'string' && isRanks(ranks) ? { code, message, ranks } : undefined;
}

export function unexplained(rank: number): Failure {
  const message = `Rank ${rank} gave the save up and could not say why: see its own error.`;
  return { code: 'ERR_SNAPSHARD_RANK_FAILED', message, ranks: [rank] };
}

function isCode(code: unknown): code is SnapshardErrorCode {
  return typeof code === 'string' && /^ERR_SNAPSHARD_[A-Z_]+$/.test(code);
}

function isRanks(ranks: unknown): ranks is number[] {
  return Array.isArray(ranks) && ranks.every((rank) => Number.isSafeInteger(rank) && (rank as number) >= 0);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
