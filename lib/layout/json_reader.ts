import { SnapshardError } from '../errors.js';
import { quote } from '../tensor/describe.js';
import type { JsonValue } from './metadata.js';

const code = {
  quote: 0x22,
  comma: 0x2c,
  minus: 0x2d,
  zero: 0x30,
  nine: 0x39,
  colon: 0x3a,
  openList: 0x5b,
  backslash: 0x5c,
  closeList: 0x5d,
  openObject: 0x7b,
  closeObject: 0x7d,
} as const;

const firstPrintable = 0x20;
const lastAscii = 0x7e;
/** What other readers of JSON take, too. */
const depthLimit = 128;
const numberPattern = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const words = new Map<number, readonly [text: string, value: JsonValue]>([
  [0x74, ['true', true]],
  [0x66, ['false', false]],
  [0x6e, ['null', null]],
]);

/** Strings that come again and again (`dtype`, `F32`, names of files) are made once. */
const recentSlots = 256;
const recentBytesMax = 64;

function isNumberPart(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  // Digits, `+`, `-`, `.`, `E`, `e`
  const digit = byte >= code.zero && byte <= code.nine;
  return digit || byte === 0x2b || byte === code.minus || byte === 0x2e || byte === 0x45 || byte === 0x65;
}

/** Sets a property as `JSON.parse` does: `__proto__` is a key like any other. */
function setOwn(object: object, key: string, value: JsonValue): void {
  if (key !== '__proto__') (object as Record<string, JsonValue>)[key] = value;
  else Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

/**
 * Reads JSON from the bytes that others wrote, one part after another as the caller asks, in time and memory
 * proportional to them. It is strict: UTF-8, no lone surrogates, no key twice in what {@link value} reads, and at most
 * 128 levels. Anything else is `ERR_SNAPSHARD_CORRUPT`, with the byte where it was seen.
 *
 * `JSON.parse` keeps the last of equal keys and does not tell; and that of Node 24.21 can give a key of one escaped
 * character wrongly.
 */
export class JsonReader {
  readonly #bytes: Uint8Array;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  readonly #recent = new Array<string>(recentSlots).fill('');
  #position = 0;
  /** Whether a list or object has just begun: no comma is due. */
  #begun = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Steps into an object; its keys follow by {@link nextKey}. */
  enterObject(): void {
    this.#expect(code.openObject, 'an object');
    this.#begun = true;
  }

  /** The next key of the object, whose value must be read before the next call; `undefined` behind the last. */
  nextKey(): string | undefined {
    if (!this.#next(code.closeObject)) return undefined;
    const key = this.string();
    this.#expect(code.colon, '":"');
    return key;
  }

  /** Steps into a list; its items follow by {@link nextItem}. */
  enterList(): void {
    this.#expect(code.openList, 'a list');
    this.#begun = true;
  }

  /** Whether there is another item, which must be read before the next call. */
  nextItem(): boolean {
    return this.#next(code.closeList);
  }

  /** Whether a list comes next. */
  get atList(): boolean {
    return this.#peek() === code.openList;
  }

  string(): string {
    this.#expect(code.quote, 'a string');
    const bytes = this.#bytes;
    const begin = this.#position;
    let position = begin;
    let hash = 0;
    let plain = true;
    for (; ; position += 1) {
      const byte = bytes[position];
      if (byte === code.quote) break;
      if (byte === undefined || byte < firstPrintable) throw this.#fault('a string does not end', position);
      if (byte === code.backslash) return this.#escaped(position);
      if (byte > lastAscii) plain = false;
      hash = (hash * 31 + byte) | 0;
    }
    this.#position = position + 1;
    if (plain && position - begin <= recentBytesMax) return this.#known(begin, position, hash);
    return this.#decode(begin, position);
  }

  /** An integer from 0 to 2^53 - 1, in digits alone. */
  count(): number {
    let byte = this.#peek();
    const begin = this.#position;
    let value = 0;
    while (byte !== undefined && byte >= code.zero && byte <= code.nine) {
      value = value * 10 + (byte - code.zero);
      if (value > Number.MAX_SAFE_INTEGER) break;
      this.#position += 1;
      byte = this.#bytes[this.#position];
    }
    const digits = this.#position - begin;
    const leadingZero = digits > 1 && this.#bytes[begin] === code.zero;
    if (digits > 0 && !leadingZero && !isNumberPart(byte)) return value;
    throw this.#fault('expected an integer from 0 to 2^53 - 1', begin);
  }

  /** A list of such integers. */
  counts(lengthMax: number): number[] {
    this.enterList();
    const begin = this.#position;
    const values: number[] = [];
    while (this.nextItem()) {
      if (values.length === lengthMax) throw this.#fault(`a list has more than ${lengthMax} integers`, begin);
      values.push(this.count());
    }
    return values;
  }

  /** Any value, as `JSON.parse` makes it; `depth` is how many levels it lies deep. */
  value(depth = 0): JsonValue {
    const byte = this.#peek();
    if (byte === code.quote) return this.string();
    if (byte === code.openList) return this.#list(depth);
    if (byte === code.openObject) return this.#object(depth);
    const word = byte === undefined ? undefined : words.get(byte);
    return word === undefined ? this.#number() : this.#word(...word);
  }

  /** Passes over any value. Nothing of it is kept: it may be larger than memory, and hold a key twice. */
  skip(depth = 0): void {
    const byte = this.#peek();
    if (byte === code.openList) {
      this.#descend(depth);
      this.enterList();
      while (this.nextItem()) this.skip(depth + 1);
    } else if (byte === code.openObject) {
      this.#descend(depth);
      this.enterObject();
      while (this.nextKey() !== undefined) this.skip(depth + 1);
    } else {
      this.value(depth);
    }
  }

  /** That nothing but white space follows. */
  finish(): void {
    if (this.#peek() !== undefined) throw this.#fault('something follows the end of the JSON');
  }

  #descend(depth: number): void {
    if (depth === depthLimit) throw this.#fault(`it is more than ${depthLimit} levels deep`);
  }

  #list(depth: number): JsonValue {
    this.#descend(depth);
    const list: JsonValue[] = [];
    this.enterList();
    while (this.nextItem()) list.push(this.value(depth + 1));
    return list;
  }

  #object(depth: number): JsonValue {
    this.#descend(depth);
    const object: Record<string, JsonValue> = {};
    this.enterObject();
    for (let key = this.nextKey(); key !== undefined; key = this.nextKey()) {
      if (Object.hasOwn(object, key)) throw this.#fault(`the key ${quote(key)} comes twice`);
      setOwn(object, key, this.value(depth + 1));
    }
    return object;
  }

  #word(text: string, value: JsonValue): JsonValue {
    for (let index = 0; index < text.length; index += 1) {
      if (this.#bytes[this.#position + index] !== text.charCodeAt(index)) throw this.#fault('expected a value');
    }
    this.#position += text.length;
    return value;
  }

  #number(): number {
    const begin = this.#position;
    let end = begin;
    while (isNumberPart(this.#bytes[end])) end += 1;
    const text = this.#decode(begin, end);
    if (!numberPattern.test(text)) throw this.#fault('expected a value');
    this.#position = end;
    return Number(text);
  }

  /** A string with a backslash at `position`: `JSON.parse` knows what follows one. */
  #escaped(position: number): string {
    const begin = this.#position;
    let end = position;
    while (this.#bytes[end] !== code.quote) {
      if (end >= this.#bytes.length) throw this.#fault('a string does not end', begin);
      end += this.#bytes[end] === code.backslash ? 2 : 1;
    }
    this.#position = end + 1;
    const text = this.#unescape(`"${this.#decode(begin, end)}"`, begin);
    if (!text.isWellFormed()) throw this.#fault('a string has a lone surrogate', begin);
    return text;
  }

  #unescape(quoted: string, begin: number): string {
    try {
      return JSON.parse(quoted) as string;
    } catch {
      throw this.#fault('a string has an escape or a control character that JSON does not know', begin);
    }
  }

  /** ASCII that may have come before. */
  #known(begin: number, end: number, hash: number): string {
    const slot = hash & (recentSlots - 1);
    const recent = this.#recent[slot] ?? '';
    if (this.#equals(recent, begin, end)) return recent;
    const text = this.#decode(begin, end);
    this.#recent[slot] = text;
    return text;
  }

  #equals(text: string, begin: number, end: number): boolean {
    if (text.length !== end - begin) return false;
    for (let index = 0; index < text.length; index += 1) {
      if (text.charCodeAt(index) !== this.#bytes[begin + index]) return false;
    }
    return true;
  }

  #decode(begin: number, end: number): string {
    try {
      return this.#decoder.decode(this.#bytes.subarray(begin, end));
    } catch {
      throw this.#fault('a string is not UTF-8', begin);
    }
  }

  /** Steps to the next member of a list or object; `false`, and out of it, where it closes. */
  #next(close: number): boolean {
    const byte = this.#peek();
    const begun = this.#begun;
    this.#begun = false;
    if (byte === close) {
      this.#position += 1;
      return false;
    }
    if (begun) return true;
    if (byte !== code.comma) throw this.#fault(`expected "," or "${String.fromCharCode(close)}"`);
    this.#position += 1;
    return true;
  }

  #expect(byte: number, what: string): void {
    if (this.#peek() !== byte) throw this.#fault(`expected ${what}`);
    this.#position += 1;
  }

  /** The next byte that is no white space. */
  #peek(): number | undefined {
    let byte = this.#bytes[this.#position];
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) {
      this.#position += 1;
      byte = this.#bytes[this.#position];
    }
    return byte;
  }

  #fault(what: string, position = this.#position): SnapshardError {
    const message = `It is no JSON that can be trusted: ${what} (byte ${position}).`;
    return new SnapshardError('ERR_SNAPSHARD_CORRUPT', message);
  }
}
