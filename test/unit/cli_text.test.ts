import { describe, expect, it } from 'vitest';
import { select } from '../../lib/cli/filter.js';
import { compareMetadata, metadataLines } from '../../lib/cli/metadata.js';
import { parseSize } from '../../lib/cli/size.js';
import { factLines, tableLines } from '../../lib/cli/table.js';
import { printable, sizeText } from '../../lib/cli/text.js';

describe('sizes', () => {
  it('prints them in units of 1024, all as wide', () => {
    expect([0, 1023, 1024, 1536, 436_207_616, 2 ** 40].map(sizeText)).toEqual([
      '0 B  ',
      '1023 B  ',
      '1.00 KiB',
      '1.50 KiB',
      '416.00 MiB',
      '1.00 TiB',
    ]);
  });

  it('reads them as people write them', () => {
    expect(['5GB', '512MiB', '1.5 gib', '1000', '7b'].map(parseSize)).toEqual([5e9, 2 ** 29, 1.5 * 2 ** 30, 1000, 7]);
  });

  it.each(['', 'GB', '-1', '0', '0.5', '1e9', '5 apples', '5constructor', '99999999TB'])('does not take %j for one', (text) => {
    expect(parseSize(text)).toBeUndefined();
  });
});

describe('filters', () => {
  const tensors = ['a.0.w', 'a.10.w', 'b.0.w', 'b+c'].map((name) => ({ name, group: name.startsWith('a') ? 'x' : 'y' }));
  const names = (filter: string[], group: string[] = []): string[] =>
    select(tensors, { filter, group }).map(({ name }) => name);

  it('takes a part of the name, or a glob of all of it', () => {
    expect(names(['0.w'])).toEqual(['a.0.w', 'a.10.w', 'b.0.w']);
    expect(names(['?.0.w'])).toEqual(['a.0.w', 'b.0.w']);
    expect(names(['a.*'])).toEqual(['a.0.w', 'a.10.w']);
    expect(names(['b+*'])).toEqual(['b+c']);
    expect(names([])).toHaveLength(4);
  });

  it('takes any of several patterns, of any of several groups', () => {
    expect(names(['a.0', 'b.0'])).toEqual(['a.0.w', 'b.0.w']);
    expect(names(['0.w'], ['y'])).toEqual(['b.0.w']);
    expect(names([], ['x', 'y'])).toHaveLength(4);
  });

  it('is an error where it takes nothing', () => {
    expect(() => names(['nothing'])).toThrow(expect.objectContaining({ code: 'ERR_SNAPSHARD_NOT_FOUND' }));
    expect(() => names(['a*b?'], ['z'])).toThrow('--filter "a*b?" --group "z"');
  });
});

describe('tables', () => {
  const columns = [
    { title: 'name', flexible: true as const, text: (row: string[]) => row[0]! },
    { title: 'none', text: () => '' },
    { title: 'size', align: 'right' as const, text: (row: string[]) => row[1]! },
  ];

  it('aligns, and leaves out what is empty', () => {
    expect(tableLines(columns, [['a', '1'], ['long', '1234567']], 100)).toEqual([
      'name     size',
      'a           1',
      'long  1234567',
    ]);
  });

  it('goes on in the next line where a name is too long for one, and loses nothing', () => {
    const name = 'layers.'.repeat(20);
    const [, ...lines] = tableLines(columns, [[name, '1']], 60);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(60);
    expect(lines.map((line) => line.slice(0, 54).trimEnd()).join('')).toBe(name);
  });

  it('prints facts below each other', () => {
    expect(factLines([['key', 'value'], ['longer', ['one', 'two']]], 100)).toEqual(['key     value', 'longer  one', '        two']);
  });

  it('writes control characters of files as text', () => {
    expect(printable('a\u001b[2Jb\u202e\n')).toBe('a\\u001b[2Jb\\u202e\\u000a');
  });
});

describe('metadata', () => {
  it('is told key by key', () => {
    expect(metadataLines({ epoch: 3, optimizer: { lr: 0.1, betas: [0.9, 0.999], none: {} }, note: 'x\u0007' })).toEqual([
      'epoch: 3',
      'optimizer.lr: 0.1',
      'optimizer.betas: [0.9,0.999]',
      'optimizer.none: {}',
      'note: "x\\u0007"',
    ]);
  });

  it('is compared key by key', () => {
    expect(compareMetadata({ a: 1, b: { c: 2 }, d: null }, { a: 1, b: { c: 3 }, e: 'x' })).toEqual([
      { key: 'b.c', before: '2', after: '3' },
      { key: 'd', before: 'null', after: undefined },
      { key: 'e', before: undefined, after: '"x"' },
    ]);
  });

  it('takes no two keys for one another', () => {
    const nested = { a: { b: 1 } };
    expect(compareMetadata(nested, { 'a.b': 1 })).toEqual([
      { key: 'a.b', before: '1', after: undefined },
      { key: '"a.b"', before: undefined, after: '1' },
    ]);
    expect(compareMetadata(nested, { 'a.b': 2, ...nested })).toEqual([{ key: '"a.b"', before: undefined, after: '2' }]);
    const keys = ['', '.', '"', '"a.b"', 'a', 'a.', '.a', 'a.b', '"a".b'];
    const paths = keys.flatMap((outer) => keys.map((inner) => ({ [outer]: { [inner]: 1 } })));
    const all = [...paths, ...keys.map((key) => ({ [key]: 1 }))];
    expect(new Set(all.flatMap(metadataLines)).size).toBe(all.length);
  });

  it('tells -0 from 0, wherever it is', () => {
    expect(compareMetadata({ x: 0, y: [{ z: 0 }] }, { x: -0, y: [{ z: -0 }] })).toEqual([
      { key: 'x', before: '0', after: '-0' },
      { key: 'y', before: '[{"z":0}]', after: '[{"z":-0}]' },
    ]);
    expect(compareMetadata({ x: [1.5, null, 'a\n', true, {}] }, { x: [1.5, null, 'a\n', true, {}] })).toEqual([]);
  });
});
