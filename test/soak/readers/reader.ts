import assert from 'node:assert/strict';
import type fc from 'fast-check';
import { SnapshardError, type SnapshardErrorCode } from '../../../lib/errors.js';
import type { Documents } from './documents.js';

/** What of the library reads what others wrote, and how it is fuzzed. */
export interface Reader {
  readonly name: string;
  /** Executions in one trial. */
  readonly runs: number;
  property(documents: Documents): fc.IAsyncProperty<unknown> | fc.IProperty<unknown>;
}

/** A message is for a person, whatever it is about. */
const messageLimit = 4000;

/** What a reader answers, or `undefined` where it refuses with one of these codes; whatever else it does is a finding. */
export async function answerOf<Answer>(
  read: () => Answer | Promise<Answer>,
  codes: readonly SnapshardErrorCode[],
  naming = '',
): Promise<Answer | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof SnapshardError)) throw error;
    assert(codes.includes(error.code), `Refused with ${error.code}: ${error.message}`);
    assert(error.message.includes(naming), `The message does not name ${naming}: ${error.message}`);
    assert(error.message.length > 0 && error.message.length < messageLimit, `A message of ${error.message.length} characters.`);
    assert(error.message.isWellFormed(), 'A message with a lone surrogate.');
    return undefined;
  }
}

/** Picks a document. */
export function documentAt<Item>(documents: readonly Item[], at: number): Item {
  const document = documents[at % documents.length];
  assert(document !== undefined, 'There are no documents.');
  return document;
}
