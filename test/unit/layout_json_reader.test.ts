import { deepStrictEqual } from 'node:assert';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonReader } from '../../lib/layout/json_reader.js';

const bytesOf = (text: string): Uint8Array => Buffer.from(text);

function read(bytes: Uint8Array): unknown {
  const reader = new JsonReader(bytes);
  const value = reader.value();
  reader.finish();
  return value;
}

const corrupt = { name: 'SnapshardError', code: 'ERR_SNAPSHARD_CORRUPT' };

function refusal(bytes: Uint8Array): string {
  try {
    read(bytes);
  } catch (error) {
    expect(error).toMatchObject(corrupt);
    return (error as Error).message;
  }
  return expect.fail(`was read: ${Buffer.from(bytes).toString()}`);
}

/** JSON.parse of Node 24 reads a key of one escaped character, such as `"\n"`, wrongly. */
const hasMisreadKey = (text: string): boolean => /"\\(?:u[\da-f]{4}|.)"\s*:/i.test(text);

const { value: json } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(fc.string({ unit: 'grapheme' }), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer()),
    fc.constantFrom<unknown>(null, true, false, 0, '', '\u2028"\\\n\u0000', 1e-7, 2 ** 53),
    fc.array(tie('value')),
    fc.dictionary(
      fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('__proto__', 'constructor', '7')),
      tie('value'),
    ),
  ),
}));

/** As written, with spaces, and with everything escaped that can be. */
function spell(value: unknown, how: number): string {
  const text = JSON.stringify(value, undefined, how === 1 ? '\t' : undefined);
  if (how !== 2) return ` ${text}\n`;
  return text.replace(/[^\u0020-\u007e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

describe('JSON of others', () => {
  it('is read as JSON.parse reads it', () => {
    const property = fc.property(json, fc.nat(2), (value, how) => {
      const text = spell(value, how);
      fc.pre(!hasMisreadKey(text));
      const found = read(bytesOf(text));
      deepStrictEqual(found, JSON.parse(text));
      expect(JSON.stringify(found)).toBe(JSON.stringify(JSON.parse(text)));
    });
    fc.assert(property, { numRuns: 1000 });
  });

  it('is refused or read as JSON.parse does, whatever is changed', () => {
    const token = fc.constantFrom(
      ...Array.from('{}[],:"\\0 1-.eE+tfnu\u0001ß\n\t'),
      'true',
      'null',
      '\\u',
      '\\ud800',
      '01',
      '1e5',
    );
    const edit = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), drop: fc.nat(3), text: token });
    const property = fc.property(json, fc.array(edit, { minLength: 1, maxLength: 3 }), (value, edits) => {
      let text = JSON.stringify(value);
      for (const { at, drop, text: inserted } of edits) {
        const position = Math.floor(at * text.length);
        text = text.slice(0, position) + inserted + text.slice(position + drop);
      }
      text = text.toWellFormed();
      fc.pre(!hasMisreadKey(text));
      let expected: unknown;
      try {
        expected = JSON.parse(text);
      } catch {
        refusal(bytesOf(text));
        return;
      }
      let found: unknown;
      try {
        found = read(bytesOf(text));
      } catch (error) {
        // Stricter in these alone.
        expect(error).toMatchObject(corrupt);
        expect((error as Error).message).toMatch(/comes twice|lone surrogate/);
        return;
      }
      deepStrictEqual(found, expected);
    });
    fc.assert(property, { numRuns: 3000 });
  });

  it('may be any bytes, and is then refused, or read as JSON.parse does', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      let value: unknown;
      try {
        value = read(bytes);
      } catch (error) {
        expect(error).toMatchObject(corrupt);
        return;
      }
      deepStrictEqual(value, JSON.parse(Buffer.from(bytes).toString()));
    });
    fc.assert(property, { numRuns: 2000 });
  });

  it('keeps __proto__ as a key like any other', () => {
    const value = read(bytesOf('{"__proto__":{"polluted":1},"a":{"__proto__":null}}')) as object;
    expect(Object.keys(value)).toEqual(['__proto__', 'a']);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect('polluted' in value).toBe(false);
  });

  it.each([
    ['a key twice', '{"a":1,"b":2,"a":1}', /the key "a" comes twice/],
    ['a key twice, once escaped', '{"a":1,"\\u0061":1}', /the key "a" comes twice/],
    ['__proto__ twice', '{"__proto__":1,"__proto__":1}', /comes twice/],
    ['a key twice deep inside', '[[{"x":{"a":1,"a":2}}]]', /comes twice/],
    ['a lone surrogate', '"\\ud800"', /lone surrogate/],
    ['too many levels', '['.repeat(129) + ']'.repeat(129), /more than 128 levels/],
    ['a million levels', '['.repeat(1_000_000), /more than 128 levels/],
    ['a million levels of objects', '{"a":'.repeat(1_000_000), /more than 128 levels/],
    ['nothing', '', /expected a value \(byte 0\)/],
    ['something behind it', '1 2', /something follows/],
    ['a byte order mark', '\ufeff1', /expected a value/],
    ['a string cut off', '"abc', /does not end/],
    ['a string cut off in an escape', '"abc\\', /does not end/],
    ['a line break in a string', '"a\nb"', /does not end/],
    ['a line break behind an escape', '"\\t\nb"', /escape or a control/],
  ])('is refused with %s', (_, text, message) => {
    expect(refusal(bytesOf(text))).toMatch(message);
  });

  it('is refused with what is not UTF-8', () => {
    const quoted = (...bytes: number[]): Uint8Array => Uint8Array.of(0x22, ...bytes, 0x22);
    const overlong = [0xc0, 0xaf];
    const surrogate = [0xed, 0xa0, 0x80];
    for (const bad of [[0xff], [0xc3], overlong, surrogate, [0xf4, 0x90, 0x80, 0x80]]) {
      expect(refusal(quoted(...bad))).toMatch(/not UTF-8/);
      expect(refusal(quoted(0x5c, 0x6e, ...bad))).toMatch(/not UTF-8/);
    }
  });

  it.each(['\\"', '1,', '[],', '"ß",', '"a" ,\n'])('may be long, and end nowhere: %j, again and again', (part) => {
    refusal(bytesOf(`[${part.repeat(300_000)}`));
    refusal(bytesOf(`["${part.repeat(300_000)}`));
  });
});

describe('a value that is passed over', () => {
  const skip = (text: string): void => {
    const reader = new JsonReader(bytesOf(text));
    reader.skip();
    reader.finish();
  };

  it('must be JSON just so, but for keys that come twice', () => {
    const token = fc.constantFrom(...Array.from('{}[],:"\\0 1-.etfnu\u0001ß'), 'true', '\\ud800', '01');
    const edit = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), drop: fc.nat(2), text: token });
    const property = fc.property(json, fc.array(edit, { maxLength: 2 }), (value, edits) => {
      let text = JSON.stringify(value);
      for (const { at, drop, text: inserted } of edits) {
        const position = Math.floor(at * text.length);
        text = text.slice(0, position) + inserted + text.slice(position + drop);
      }
      const message = (run: () => unknown): string => {
        try {
          run();
          return '';
        } catch (error) {
          expect(error).toMatchObject(corrupt);
          return (error as Error).message;
        }
      };
      const told = message(() => read(bytesOf(text)));
      if (!told.includes('comes twice')) expect(message(() => { skip(text); })).toBe(told);
    });
    fc.assert(property, { numRuns: 2000 });
    expect(() => { skip('{"a":1,"a":{"b":[2]}}'); }).not.toThrow();
  });

  it('may be no deeper', () => {
    expect(() => { skip('['.repeat(128) + ']'.repeat(128)); }).not.toThrow();
    expect(() => { skip('{"a":'.repeat(1_000_000)); }).toThrow('more than 128 levels');
  });
});

describe('integers', () => {
  const counts = (text: string, most = 3): number[] => new JsonReader(bytesOf(text)).counts(most);

  it('are read up to 2^53 - 1', () => {
    expect(counts('[0, 9007199254740991 ,12]')).toEqual([0, Number.MAX_SAFE_INTEGER, 12]);
    expect(counts(' [ ] ')).toEqual([]);
  });

  it.each(['[-1]', '[1.0]', '[1e3]', '[01]', '[9007199254740992]', `[${'9'.repeat(400)}]`, '["1"]', '[null]', '[[1]]'])(
    'are no others: %s',
    (text) => {
      expect(() => counts(text)).toThrow(expect.objectContaining(corrupt) as Error);
    },
  );

  it('are no more than asked for', () => {
    expect(() => counts('[1,2,3,4]')).toThrow('more than 3 integers');
  });
});
