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

/**
 * What an iterable gives. Only how it begins is checked: what it throws later is its own.
 * @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` for what looks like one and is none, such as a view of a
 * detached buffer, or an object made after another
 */
export function iterate<Item>(iterable: Iterable<Item>, what: string, expected: string): Iterable<Item> {
  const iterator = beginning(iterable);
  if (typeof iterator?.next !== 'function') throw invalidArgument(what, expected, iterable);
  return { [Symbol.iterator]: () => iterator };
}

function beginning<Item>(iterable: Iterable<Item>): Iterator<Item> | undefined {
  try {
    return iterable[Symbol.iterator]();
  } catch {
    return undefined;
  }
}
