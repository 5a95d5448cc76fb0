import { SnapshardError } from '../errors.js';

const quotedLimit = 120;

/** A string in quotes, cut where it is long: for messages. */
export function quote(text: string): string {
  return JSON.stringify(text.length > quotedLimit ? `${text.slice(0, quotedLimit)}…` : text);
}

/** What a value is, in a few words: the "but received …" of a message. Never throws, whatever the value does. */
export function describe(value: unknown): string {
  try {
    return inWords(value);
  } catch {
    return 'an object that cannot be looked at';
  }
}

function inWords(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'bigint') return `${String(value)}n`;
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) {
    return value.length <= 8 && value.every((item) => typeof item === 'number')
      ? `[${value.join(', ')}]`
      : `an array of ${value.length}`;
  }
  if (typeof value !== 'object' || value === null) return String(value);
  const maker: unknown = value.constructor;
  const name: unknown = typeof maker === 'function' && maker !== Object ? maker.name : '';
  return typeof name === 'string' && name !== '' ? `an instance of ${name}` : 'an object';
}

/** "Expected … for … but received …", with the code for arguments of the wrong kind. */
export function invalidArgument(what: string, expected: string, received: unknown): SnapshardError {
  return new SnapshardError(
    'ERR_SNAPSHARD_INVALID_ARGUMENT',
    `Expected ${expected} for ${what} but received ${describe(received)}.`,
  );
}
