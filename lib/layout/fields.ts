import { invalidArgument } from '../tensor/describe.js';
import { digestDigits } from './format.js';
import type { ListedFile } from './manifest.js';

const digestPattern = new RegExp(`^[0-9a-f]{${digestDigits}}$`);
const noncePattern = /^[0-9a-z]{1,64}$/;

/** Of a file that a manifest lists. No save makes a longer one, and no reader is made to take one whole. */
export const listedBytesMax = 2 ** 32;

/**
 * Checks of what JSON text held. All throw `ERR_SNAPSHARD_INVALID_ARGUMENT`, which tells what was expected where: a
 * reader makes it one that names the file.
 */
export function requireRecord(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw invalidArgument(what, 'an object', value);
}

export function requireList(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value as readonly unknown[];
  throw invalidArgument(what, 'a list', value);
}

/** An integer from `min` to `max`: 0 and 2^53 - 1 where they are not given. */
export function requireInteger(value: unknown, what: string, min = 0, max = Number.MAX_SAFE_INTEGER): number {
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return value as number;
  throw invalidArgument(what, `an integer from ${min} to ${max}`, value);
}

/** Exactly this value. */
export function requireValue<T extends string | number>(value: unknown, what: string, expected: T): T {
  if (value === expected) return expected;
  throw invalidArgument(what, typeof expected === 'string' ? JSON.stringify(expected) : `${expected}`, value);
}

export function isDigest(value: unknown): value is string {
  return typeof value === 'string' && digestPattern.test(value);
}

export function requireDigest(value: unknown, what: string): string {
  if (isDigest(value)) return value;
  throw invalidArgument(what, `${digestDigits} lower-case hexadecimal digits`, value);
}

export function requireNonce(value: unknown, what: string): string {
  if (typeof value === 'string' && noncePattern.test(value)) return value;
  throw invalidArgument(what, 'up to 64 lower-case letters and digits', value);
}

/** A file with its length and digest; what a name must be is left to the caller. */
export function requireListedFile(value: unknown, what: string): ListedFile {
  const { name, bytes, digest } = requireRecord(value, what);
  if (typeof name !== 'string') throw invalidArgument(`\`name\` of ${what}`, 'a string', name);
  requireInteger(bytes, `\`bytes\` of ${what}`, 0, listedBytesMax);
  requireDigest(digest, `\`digest\` of ${what}`);
  return value as ListedFile;
}
