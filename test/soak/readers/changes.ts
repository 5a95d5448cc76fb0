/** Changes of documents: of the JSON values, and then of the bytes. */
import fc from 'fast-check';

type Json = unknown;

/** One change of a value: where, as a number that is taken for a path, and what comes there. */
export interface ValueChange {
  readonly at: number;
  readonly how: 'replace' | 'remove' | 'add' | 'copy' | 'nudge';
  readonly key: string;
  readonly value: Json;
}

/** One change of bytes, at a place from 0 to just below 1. */
export interface ByteChange {
  readonly at: number;
  readonly how: 'splice' | 'number' | 'double' | 'twin' | 'flip' | 'cut';
  readonly length: number;
  readonly token: string;
}

const deep = (levels: number): Json => {
  let value: Json = 0;
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? [value] : { a: value };
  return value;
};
const numbers = [
  ...[-1, 0, 1, 2, 3, 8, 63, 64, 65, 4095, 4096, 4097, 8192, 2 ** 20, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 44],
  ...[2 ** 52, 2 ** 53 - 1, 2 ** 53, 2 ** 63, 1e300, 0.5, -0, 1e-7],
];
const texts = [
  ...['', 'F32', 'F4', 'F6_E2M3', 'U8', '__proto__', 'constructor', 'toString', '__metadata__', '..', '../x', '/x', 'a\0'],
  ...['\ud800', '\udc00x', '\ufeff', '\n', '😀', '\u2028', 'x'.repeat(300), '1.0', '1.9', '2.0', '1', 'snapshard', 'pt'],
  ...['x.safetensors', 'ranks', 'manifest.json', '.hidden', 'model', 's1', '0'.repeat(32), 'F'.repeat(32), '0'.repeat(31)],
];
const values: readonly Json[] = [
  ...numbers,
  ...texts,
  ...[null, true, false, [], {}, [0], [0, 0], [1, 2, 3], Array<number>(65).fill(0)],
  ...[{ toString: 1, valueOf: 2 }, Object.fromEntries([['__proto__', { length: 1 }]]), deep(20), deep(99), deep(126), deep(127), deep(129), deep(1000)],
];
const keys = [
  ...['__proto__', 'constructor', 'hasOwnProperty', 'length', '', 'a', '0', '__metadata__', 'dtype', 'shape', 'data_offsets'],
  ...['DCP_SHARDING_INFO', 'saved_offsets', 'weight_map', 'version', 'format', 'tensors', 'files', 'name', 'digest', '\ud800', '\n'],
];
const tokens = [
  ...Array.from('{}[],:"\\0 \u0001\t-.e'),
  ...['"a"', '"__proto__":', '"__metadata__":{},', '"dtype":"F64",', '[[[[', '\\u0061', '\\ud800', '\\"', 'null', '1e9', '1e400'],
  ...['-0', '01', '1.0', 'NaN', '\ufeff', 'ß', '},{"name":', '"tensors":[', '],"step":', '"ranks":[', '[]', '['.repeat(20_000), '{"a":'.repeat(5000), ',"digest":"', '}\n'],
  // As latin1, so that bytes that are no UTF-8 can be told.
  ...['\xff', '\xc3', '\xed\xa0\x80', '\xf4\x90\x80\x80', '\xc0\x80'].map((bytes) => `latin1:${bytes}`),
];

/** Both ends are places that much depends on. */
const place = fc.oneof(
  { weight: 8, arbitrary: fc.nat(99_999).map((at) => at / 100_000) },
  { weight: 1, arbitrary: fc.constantFrom(0, 1 - 2 ** -52) },
);

export const valueChange: fc.Arbitrary<ValueChange> = fc.record({
  at: fc.nat(),
  how: fc.constantFrom<ValueChange['how']>('replace', 'remove', 'add', 'copy', 'nudge', 'nudge'),
  key: fc.constantFrom(...keys),
  value: fc.constantFrom(...values),
});
export const byteChange: fc.Arbitrary<ByteChange> = fc.record({
  at: place,
  how: fc.constantFrom<ByteChange['how']>('splice', 'splice', 'number', 'double', 'twin', 'flip', 'cut'),
  length: fc.nat(40),
  token: fc.constantFrom('', ...tokens),
});

type Holder = Record<string, Json> | Json[];

/** Every place of a value that can be changed. */
function holdersOf(value: Json, found: Holder[] = []): Holder[] {
  if (typeof value !== 'object' || value === null) return found;
  found.push(value as Holder);
  for (const item of Object.values(value)) holdersOf(item, found);
  return found;
}

function set(holder: Holder, key: string, value: Json): void {
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });
}

/** The value is the document's own from then on: later changes may be of it. */
function changeOnce(root: Json, { at, how, key, value: shared }: ValueChange): void {
  const value = structuredClone(shared);
  const holders = holdersOf(root);
  const holder = holders[at % holders.length];
  if (holder === undefined) return;
  const own = Object.keys(holder);
  const chosen = own[Math.floor(at / holders.length) % Math.max(own.length, 1)];
  if (how === 'add' || chosen === undefined) {
    if (Array.isArray(holder)) holder.push(value);
    else set(holder, key, value);
    return;
  }
  const known = (holder as Record<string, Json>)[chosen];
  if (how === 'remove') {
    if (Array.isArray(holder)) holder.splice(Number(chosen), 1);
    else Reflect.deleteProperty(holder, chosen);
  } else if (how === 'copy') {
    if (Array.isArray(holder)) holder.push(structuredClone(known));
    else set(holder, key, structuredClone(known));
  } else if (how === 'nudge' && typeof known === 'number') {
    set(holder, chosen, known + (at % 2 === 0 ? 1 : -1));
  } else if (how === 'nudge' && typeof known === 'string') {
    set(holder, chosen, at % 2 === 0 ? `${known}x` : known.slice(1));
  } else {
    set(holder, chosen, value);
  }
}

/** A copy of a document with changes in it. */
export function changedValue(root: Json, changes: readonly ValueChange[]): Json {
  if (changes.length === 0) return root;
  const copy = structuredClone(root);
  for (const change of changes) changeOnce(copy, change);
  return copy;
}

function bytesOf(token: string): Buffer {
  return token.startsWith('latin1:') ? Buffer.from(token.slice(7), 'latin1') : Buffer.from(token);
}

function renumbered(bytes: Buffer, at: number, token: string): Buffer {
  const text = bytes.toString('latin1');
  const found = [...text.matchAll(/\d+/g)];
  const match = found[Math.floor(at * found.length)];
  if (match === undefined) return bytes;
  const number = /^[-\d.e]+$/.test(token) ? token : String(numbers[token.length % numbers.length]);
  return Buffer.from(text.slice(0, match.index) + number + text.slice(match.index + match[0].length), 'latin1');
}

const memberPattern = /"(?:[^"\\]|\\.)*"\s*:/g;
const tokenPattern = /"(?:[^"\\]|\\.)*"|[{}[\],]/g;

/** Where the value that begins there ends: at a comma or bracket of what it is in. */
function endOfValue(text: string, begin: number): number {
  let depth = 0;
  for (const { 0: token, index } of text.slice(begin).matchAll(tokenPattern)) {
    if (depth === 0 && (token === ',' || token === '}' || token === ']')) return begin + index;
    if (token === '{' || token === '[') depth += 1;
    if (token === '}' || token === ']') depth -= 1;
  }
  return text.length;
}

/** A key and its value come twice. */
function withTwin(bytes: Buffer, at: number): Buffer {
  const text = bytes.toString('latin1');
  const found = [...text.matchAll(memberPattern)];
  const match = found[Math.floor(at * found.length)];
  if (match === undefined) return bytes;
  const end = endOfValue(text, match.index + match[0].length);
  return Buffer.from(`${text.slice(0, end)},${text.slice(match.index)}`, 'latin1');
}

function changeBytes(bytes: Buffer, { at, how, length, token }: ByteChange): Buffer {
  const position = Math.floor(at * bytes.length);
  if (how === 'number') return renumbered(bytes, at, token);
  if (how === 'twin') return withTwin(bytes, at);
  if (how === 'cut') return bytes.subarray(0, position);
  if (how === 'double') return Buffer.concat([bytes.subarray(0, position + length), bytes.subarray(position)]);
  if (how === 'splice') {
    return Buffer.concat([bytes.subarray(0, position), bytesOf(token), bytes.subarray(position + (length % 4))]);
  }
  const copy = Buffer.from(bytes);
  if (position < copy.length) copy[position] = (copy[position] ?? 0) ^ (1 << (length % 8));
  return copy;
}

export function changedBytes(bytes: Buffer, changes: readonly ByteChange[]): Buffer {
  return changes.reduce(changeBytes, bytes);
}

/** The same JSON, as `JSON.stringify` writes it, with spaces, or with escapes wherever they can be. */
export function spell(value: Json, how: number): string {
  const text = JSON.stringify(value, undefined, how === 1 ? '\t' : undefined);
  if (how !== 2) return text;
  return text.replace(/[^\u0020-\u007e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

export interface Changes {
  readonly document: number;
  readonly values: readonly ValueChange[];
  readonly bytes: readonly ByteChange[];
  readonly spelling: number;
}

/** Few changes, so that most of what is behind the first check is reached too. */
export const changes: fc.Arbitrary<Changes> = fc.record({
  document: fc.nat(),
  values: fc.array(valueChange, { maxLength: 2 }),
  bytes: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 3, arbitrary: fc.array(byteChange, { maxLength: 2 }) }),
  spelling: fc.constantFrom(0, 0, 0, 1, 2),
});

/** What is to be read: a document with changes in its values, spelled, with changes in its bytes. */
export function changedText(document: Json, { values: inValue, bytes, spelling }: Changes): Buffer {
  return changedBytes(Buffer.from(spell(changedValue(document, inValue), spelling)), bytes);
}
