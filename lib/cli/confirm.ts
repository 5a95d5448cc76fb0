import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { SnapshardError } from '../errors.js';
import { Interrupted } from './exit_code.js';

/**
 * Asks on the terminal; anything but a yes is a no.
 * @param nothing what did not happen, where there is nobody to ask
 * @param signal ends the question
 * @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` where there is nobody to ask
 * @throws {Interrupted} by Ctrl+C
 */
export async function confirmed(question: string, nothing: string, signal?: AbortSignal): Promise<boolean> {
  if (!process.stdin.isTTY) {
    const message = `${nothing}: there is no terminal to ask on. Pass --yes.`;
    throw new SnapshardError('ERR_SNAPSHARD_INVALID_ARGUMENT', message);
  }
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  const interrupted = once(reader, 'SIGINT').then(() => {
    throw new Interrupted();
  });
  try {
    // Ctrl+D rejects the question; where the terminal goes away, it is never answered.
    const closed = once(reader, 'close').then(() => '');
    const asked = reader.question(`${question} [y/N] `, signal === undefined ? {} : { signal }).catch(() => '\n');
    const answer = await Promise.race([asked, closed, interrupted]);
    signal?.throwIfAborted();
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    reader.close();
  }
}
