import { types } from 'node:util';
import { makeMemory } from '../../support/wasm.js';
import type { Dice } from './dice.js';

/** Thrown by objects of the caller's own: the library passes it on as it is. */
export class CallersFault extends Error {}

/** Among the garbage. */
const abortedSignal = AbortSignal.abort(new CallersFault('aborted before the call'));

function throwing(): never {
  throw new CallersFault('thrown by an object of the caller');
}

function oddObject(dice: Dice): unknown {
  const odd: (() => unknown)[] = [
    () => Object.create(null) as unknown,
    () => ({ constructor: { name: Symbol('odd') } }),
    () => ({ constructor: Object.assign(() => 1, { displayName: 5 }) }),
    () => Object.defineProperty(class Odd extends Object {}, 'name', { value: Symbol('odd') }),
    () => new (Object.defineProperty(class Odd extends Object {}, 'name', { value: Symbol('odd') }) as new () => object)(),
    () => ({ toString: throwing, valueOf: throwing, toJSON: throwing }),
    () => ({ [Symbol.toPrimitive]: throwing }),
    () => ({ [Symbol.iterator]: throwing }),
    () => ({ [Symbol.iterator]: () => ({ next: throwing }) }),
    () => ({ [Symbol.iterator]: 5 }),
    () => ({ then: throwing }),
    () => ({ length: -1 }),
    () => ({ length: 2, 0: 1, 1: 2 }),
    () => new Proxy({}, { get: throwing, has: throwing, ownKeys: throwing }),
    () => new Proxy([1, 2, 3], {}),
    () => JSON.parse('{"__proto__": {"a": 1}}') as unknown,
    () => Object.freeze({ frozen: true }),
    () => new (class Tensor extends Object {})(),
    () => new Date(NaN),
    () => /./,
    () => new Error('a value'),
    () => Promise.resolve(1),
    () => new WeakMap(),
    () => new Set(['a', 1]),
    () => new Map<unknown, unknown>([[{}, Symbol('key')], ['a', 5]]),
    () => new Map([['a', null]]),
  ];
  return dice.pick(odd)();
}

function oddMemory(dice: Dice): unknown {
  const odd: (() => unknown)[] = [
    () => new ArrayBuffer(0),
    () => new ArrayBuffer(7),
    () => new SharedArrayBuffer(16),
    () => new SharedArrayBuffer(16, { maxByteLength: 64 }),
    () => new ArrayBuffer(16, { maxByteLength: 64 }),
    () => new Float64Array(3),
    () => new BigInt64Array(2),
    () => new Uint8ClampedArray(5),
    () => new DataView(new ArrayBuffer(9), 1),
    () => Buffer.from('pool'),
    () => makeMemory({ initial: 1, maximum: 2 }).buffer,
    () => {
      const buffer = new ArrayBuffer(64);
      structuredClone(buffer, { transfer: [buffer] });
      return dice.chance(0.5) ? buffer : new Uint8Array(1).buffer;
    },
    () => {
      const view = new Uint8Array(64);
      structuredClone(view.buffer, { transfer: [view.buffer] });
      return view;
    },
    () => {
      const buffer = new ArrayBuffer(64, { maxByteLength: 128 }) as ArrayBuffer & { resize(to: number): void };
      const view = dice.chance(0.5) ? new Uint8Array(buffer, 32, 16) : new DataView(buffer, 32, 16);
      buffer.resize(8);
      return view;
    },
    () => Object.setPrototypeOf(new Uint8Array(8), null) as unknown,
    () => Object.setPrototypeOf(new Uint8Array(8), Float32Array.prototype) as unknown,
    () => Object.defineProperty(new Uint8Array(8), 'byteLength', { value: 2 ** 40 }),
    () => Object.defineProperty(new Uint8Array(8), 'buffer', { value: new ArrayBuffer(2) }),
    () => Object.defineProperty(new Uint8Array(8), 'length', { value: -5 }),
  ];
  return dice.pick(odd)();
}

const plain: readonly unknown[] = [
  ...[undefined, null, true, false, 0, -0, 1, 2, 3, 5, -1, 0.5, NaN, Infinity, -Infinity],
  ...[2 ** 53, 2 ** 53 - 1, 2 ** 63, -(2 ** 31), 1e300, 5e-324, 1n, -1n, 10n ** 30n],
  ...['', 'a', '0', '\0', 'a\0b', '\ud800', '__proto__', 'constructor', 'toString', '__metadata__', 'x'.repeat(5000)],
  ...['../above', '/dev/null', 'é'.normalize('NFD'), '\u{1f600}', 'model', 'F32', 'U8', 'auto', 'io_uring', 'pwrite', 'all'],
  ...[[], [0], [-1], [1, 2], [[1]], [null], [undefined], [NaN], ['a', 'b'], new Array(3), [2 ** 52, 2 ** 52], {}, { a: 1 }],
];

/** Anything that JavaScript can pass. */
export function garbage(dice: Dice): unknown {
  const source = dice.below(10);
  if (source < 5) {
    const value = dice.pick(plain);
    return Array.isArray(value) ? [...(value as unknown[])] : value;
  }
  if (source < 7) return oddObject(dice);
  if (source < 9) return oddMemory(dice);
  return dice.pick<unknown>([Symbol('odd'), () => 1, throwing, Object, globalThis, abortedSignal]);
}

interface Place {
  readonly holder: object;
  readonly key: PropertyKey;
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || types.isProxy(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || Array.isArray(value);
}

function placesIn(holder: object, depth: number): Place[] {
  return Reflect.ownKeys(holder)
    .filter((key) => key !== 'length')
    .flatMap((key) => {
      const value: unknown = Reflect.getOwnPropertyDescriptor(holder, key)?.value;
      const inner = depth > 0 && isPlain(value) ? placesIn(value, depth - 1) : [];
      return [{ holder, key }, ...inner];
    });
}

/** An array with the methods of something else is no array to the language either. */
function added(dice: Dice, holder: object): PropertyKey {
  const keys = ['extra', 'step', Symbol('extra')];
  return dice.pick(Array.isArray(holder) || !Object.isExtensible(holder) ? keys : [...keys, '__proto__']);
}

/** Spoils arguments in place: one or more of them, or what they hold, becomes garbage, is left out, or is added. */
export function spoil(dice: Dice, args: unknown[]): void {
  for (let times = dice.chance(0.8) ? 1 : 3; times > 0; times -= 1) {
    const place = dice.anyOf(placesIn(args, 4));
    if (place === undefined || dice.chance(0.05)) args.push(garbage(dice));
    else if (dice.chance(0.1)) Reflect.deleteProperty(place.holder, place.key);
    else if (dice.chance(0.1)) Reflect.set(place.holder, added(dice, place.holder), garbage(dice));
    else Reflect.set(place.holder, place.key, garbage(dice));
  }
}

/** Read twice, they may be two; these would be more than the machine can bear, or wait for long. */
const steady = new Set<PropertyKey>(['stagingBytes', 'deadlineMs', 'rank', 'worldSize', 'runId', 'stream', 'event']);

/** Makes a property of what the arguments hold one that is computed: it does something, and may change from time to time. */
export function enchant(dice: Dice, args: readonly unknown[], hook: () => void): void {
  const places = args.filter(isPlain).flatMap((argument) => placesIn(argument, 3));
  const place = dice.anyOf(places.filter(({ holder, key }) => !steady.has(key) && !Array.isArray(holder)));
  if (place === undefined) return;
  const descriptor = Reflect.getOwnPropertyDescriptor(place.holder, place.key);
  if (descriptor?.configurable !== true || !('value' in descriptor)) return;
  let left = dice.chance(0.5) ? dice.below(4) : Infinity;
  const get = (): unknown => {
    hook();
    left -= 1;
    return left < 0 ? garbage(dice) : (descriptor.value as unknown);
  };
  Object.defineProperty(place.holder, place.key, { get, enumerable: true, configurable: true });
}
