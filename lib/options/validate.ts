import { z } from 'zod';
import { SnapshardError } from '../errors.js';
import { describe } from '../tensor/describe.js';

/** An integer within limits; `expected` is what the message says that it should have been. */
export function integer(from: number, to: number, expected: string): z.ZodNumber {
  return z.int(expected).min(from, expected).max(to, expected);
}

/** A value that a predicate accepts. */
export function matching<T>(accepts: (value: unknown) => boolean, expected: string): z.ZodCustom<T, T> {
  return z.custom<T>(accepts, expected);
}

/**
 * Checks a value against a schema whose own messages are what was expected.
 * @param what the argument as a whole, such as `the options of CheckpointWriter.open`
 * @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` naming the property, what was expected and what came
 */
export function validate<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw invalid(issue === undefined ? `Invalid ${what}.` : messageOf(issue, value, what));
}

export function invalid(message: string): SnapshardError {
  return new SnapshardError('ERR_SNAPSHARD_INVALID_ARGUMENT', message);
}

function messageOf(issue: z.core.$ZodIssue, value: unknown, what: string): string {
  if (issue.code === 'unrecognized_keys') {
    return `Unknown property ${issue.keys.map((key) => `\`${key}\``).join(', ')} in ${what}: is it misspelt?`;
  }
  if (issue.path.length === 0) return `Expected an object for ${what} but received ${describe(value)}.`;
  const received = issue.path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown>)[key], value);
  return `Expected ${issue.message} for \`${issue.path.join('.')}\` in ${what} but received ${describe(received)}.`;
}
