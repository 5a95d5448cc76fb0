import { SnapshardError } from '../errors.js';
import { parseFailure, unexplained, type Failure } from './failure.js';

/** How the meeting of a session ended: with the nonce of each rank's writer, or with why it came to nothing. */
export type Roster = { readonly writers: readonly string[] } | { readonly failure: Failure };

/** A nonce and its quotes and comma; more than enough for the most ranks that there can be. */
export const rosterLimitBytes = 64 * 100_000;

export function encodeRoster(roster: Roster): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(roster)}\n`);
}

/** @throws {SnapshardError} `ERR_SNAPSHARD_CORRUPT` for what no rank 0 wrote */
export function decodeRoster(bytes: Uint8Array, path: string): Roster {
  const roster = parse(new TextDecoder().decode(bytes));
  if (isTexts(roster.writers)) return { writers: roster.writers };
  if (roster.failure !== undefined) return { failure: parseFailure(roster.failure) ?? unexplained(0) };
  const message = `${path} is no roster: remove it, and start all ranks again.`;
  throw new SnapshardError('ERR_SNAPSHARD_CORRUPT', message, { path });
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function parse(text: string): Partial<Record<'writers' | 'failure', unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
