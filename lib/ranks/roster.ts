import { unexplained, type Failure } from './failure.js';

/** How the meeting of a session ended: with the nonce of each rank's writer, or with why it came to nothing. */
export type Roster = { readonly writers: readonly string[] } | { readonly failure: Failure };

/** A nonce and its quotes and comma; more than enough for the most ranks that there can be. */
export const rosterLimitBytes = 64 * 100_000;

export function encodeRoster(roster: Roster): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(roster)}\n`);
}

export function decodeRoster(bytes: Uint8Array): Roster {
  const roster = JSON.parse(new TextDecoder().decode(bytes)) as Partial<{ writers: string[]; failure: Failure }>;
  if (Array.isArray(roster.writers)) return { writers: roster.writers };
  return { failure: roster.failure ?? unexplained(0) };
}
