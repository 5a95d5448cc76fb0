import { describe, expect, it } from 'vitest';
import { fileSource } from '../../lib/tensor/file_source.js';
import { normalizeTensors } from '../../lib/tensor/normalize.js';
import { type LeaseSource, SourceKind, changedSource } from '../../lib/tensor/source.js';
import type { TensorData } from '../../lib/tensor/tensor.js';

const leases = new WeakMap<ArrayBuffer, LeaseSource>();

function makeLease(bytes: number, handle: number): { bytes: number; buffer: ArrayBuffer } {
  const buffer = new ArrayBuffer(bytes);
  leases.set(buffer, { bytes, handle });
  return { bytes, buffer };
}

/** The table of tensors of raw bytes, one for each item of data. */
function tableOf(...list: [bytes: number, data: TensorData][]) {
  const entries = list.map(([bytes, data], index) => [`t${index}`, { dtype: 'U8', shape: [bytes], data }] as const);
  return normalizeTensors(entries, (buffer) => leases.get(buffer)).sources;
}

const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'none';
};

describe('the source table', () => {
  it('keeps buffers whole, and views as ranges of them', () => {
    const buffer = new ArrayBuffer(64);
    const table = tableOf([64, buffer], [8, new Uint8Array(buffer, 4, 8)], [6, new DataView(buffer, 10, 6)]);
    expect(table.sources).toEqual([buffer]);
    expect(table.sources[0]).toBe(buffer);
    expect([...table.sourceKinds]).toEqual([SourceKind.Buffer]);
    expect(table.segmentOffset).toEqual([0, 4, 10]);
    expect(table.segmentBytes).toEqual([64, 8, 6]);
    expect(table.tensorSegments).toEqual([0, 1, 2, 3]);
  });

  it.each([
    ['length', 3],
    ['byteLength', 3],
    ['byteOffset', 5],
    ['buffer', null],
  ])('takes a view for what it is, whatever it says of its %s', (property, value) => {
    const view = Object.defineProperty(new Uint8Array(new ArrayBuffer(64), 8, 16), property, { value });
    const { specs, sources } = normalizeTensors({ bare: view }, (buffer) => leases.get(buffer));
    expect(specs).toEqual([expect.objectContaining({ dtype: 'U8', shape: [16], bytes: 16 })]);
    expect([sources.segmentOffset, sources.segmentBytes]).toEqual([[8], [16]]);
    expect(tableOf([16, view]).segmentOffset).toEqual([8]);
  });

  it('takes a Node buffer as a range of its pool', () => {
    const buffer = Buffer.from('some text');
    const table = tableOf([9, buffer]);
    expect(table.sources[0]).toBe(buffer.buffer);
    expect(table.segmentOffset).toEqual([buffer.byteOffset]);
  });

  it('takes a list of parts as segments that follow each other, without the empty ones', () => {
    const shared = new SharedArrayBuffer(16);
    const lease = makeLease(4096, 5);
    const file = fileSource({ fd: 7, offset: 100, bytes: 3 });
    const parts = [new Uint8Array(5), new Uint8Array(0), new Uint8Array(shared, 2, 3), new ArrayBuffer(0), lease, file];
    const table = tableOf([5 + 3 + 4096 + 3, parts], [1, new Uint8Array(1)]);
    expect([...table.sourceKinds]).toEqual([
      SourceKind.Buffer,
      SourceKind.Shared,
      SourceKind.Lease,
      SourceKind.Descriptor,
      SourceKind.Buffer,
    ]);
    expect(table.sources.slice(2, 4)).toEqual([5, 7]);
    expect(table.segmentBytes).toEqual([5, 3, 4096, 3, 1]);
    expect(table.segmentOffset).toEqual([0, 2, 0, 100, 0]);
    expect(table.tensorSegments).toEqual([0, 4, 5]);
  });

  it('gives native a view of the whole of shared memory, growable or not', () => {
    const fixed = new SharedArrayBuffer(32);
    const growable = new SharedArrayBuffer(16, { maxByteLength: 64 });
    const table = tableOf([4, new Uint8Array(fixed, 8, 4)], [16, growable]);
    const [first, second] = table.sources as Uint8Array[];
    expect([first!.buffer, first!.byteOffset, first!.byteLength]).toEqual([fixed, 0, 32]);
    expect([second!.buffer, second!.byteOffset, second!.byteLength]).toEqual([growable, 0, 16]);
  });

  it('knows lease memory however it is given', () => {
    const lease = makeLease(8192, 9);
    const table = tableOf([8192, lease], [8192, lease.buffer], [16, new Uint8Array(lease.buffer, 4096, 16)]);
    expect(table.sources).toEqual([9]);
    expect([...table.sourceKinds]).toEqual([SourceKind.Lease]);
    expect(table.segmentOffset).toEqual([0, 0, 4096]);
    expect(changedSource(table)).toBeUndefined();
  });

  it('names files by absolute path or descriptor', () => {
    const table = tableOf([3, fileSource({ path: 'some/file', bytes: 3 })], [2, fileSource({ fd: 0, bytes: 2 })]);
    expect(table.sources).toEqual([`${process.cwd()}/some/file`, 0]);
    expect([...table.sourceKinds]).toEqual([SourceKind.Path, SourceKind.Descriptor]);
  });

  it('names a file once for neighbours that it holds', () => {
    const range = (offset: number) => fileSource({ path: '/a', offset, bytes: 4 });
    const table = tableOf([4, range(0)], [4, range(8)], [8, [range(4), range(12)]]);
    expect(table.sources).toEqual(['/a']);
    expect(table.segmentOffset).toEqual([0, 8, 4, 12]);
  });

  it('does not take one descriptor, lease or path for another', () => {
    const lease = makeLease(4, 3);
    const table = tableOf([4, lease], [4, fileSource({ fd: 3, bytes: 4 })], [4, fileSource({ path: '/3', bytes: 4 })]);
    expect(table.sources).toEqual([3, 3, '/3']);
    expect([...table.sourceKinds]).toEqual([SourceKind.Lease, SourceKind.Descriptor, SourceKind.Path]);
  });
});

describe('buffers that are gone at the call', () => {
  const gone = (buffer: ArrayBuffer): ArrayBuffer => {
    structuredClone(buffer, { transfer: [buffer] });
    return buffer;
  };

  it.each([
    ['an ArrayBuffer', () => gone(new ArrayBuffer(4))],
    [
      'a view',
      () => {
        const view = new Uint8Array(4);
        gone(view.buffer);
        return view;
      },
    ],
    [
      'a DataView',
      () => {
        const view = new DataView(new ArrayBuffer(4));
        gone(view.buffer);
        return view;
      },
    ],
    ['a list', () => [new Uint8Array(4), gone(new ArrayBuffer(4))]],
  ])('%s', (_what, make) => {
    expect(codeOf(() => tableOf([4, make()]))).toBe('ERR_SNAPSHARD_SOURCE_DETACHED');
    expect(codeOf(() => tableOf([0, make()]))).toBe('ERR_SNAPSHARD_SOURCE_DETACHED');
  });

  it('a DataView on a buffer that shrank', () => {
    const buffer = new ArrayBuffer(8, { maxByteLength: 16 });
    const view = new DataView(buffer, 4, 4);
    buffer.resize(2);
    expect(codeOf(() => tableOf([4, view]))).toBe('ERR_SNAPSHARD_SOURCE_DETACHED');
  });

  it('a lease, however it is given', () => {
    const lease = makeLease(4096, 1);
    const view = new Uint8Array(lease.buffer);
    gone(lease.buffer);
    for (const data of [lease, lease.buffer, view, [view]]) {
      expect(codeOf(() => tableOf([4096, data]))).toBe('ERR_SNAPSHARD_CLOSED');
    }
  });
});

describe('changedSource', () => {
  interface Memory {
    buffer: ArrayBuffer;
    grow(pages: number): number;
  }
  /** The types of Node have no WebAssembly. */
  const { WebAssembly } = globalThis as unknown as {
    WebAssembly: { Memory: new (limits: { initial: number; maximum: number }) => Memory };
  };
  const memoryOfPages = () => new WebAssembly.Memory({ initial: 1, maximum: 2 });

  it('sees nothing while nothing happens', () => {
    const shared = new SharedArrayBuffer(8, { maxByteLength: 16 });
    const table = tableOf([8, new ArrayBuffer(8)], [8, shared], [4, fileSource({ fd: 1, bytes: 4 })]);
    expect(changedSource(table)).toBeUndefined();
  });

  it.each<[string, () => [ArrayBuffer | SharedArrayBuffer, () => void], RegExp]>([
    [
      'a transfer',
      () => {
        const b = new ArrayBuffer(8);
        return [b, () => structuredClone(b, { transfer: [b] })];
      },
      /detached/,
    ],
    [
      'a resize to nothing',
      () => {
        const b = new ArrayBuffer(8, { maxByteLength: 9 });
        return [
          b,
          () => {
            b.resize(0);
          },
        ];
      },
      /emptied/,
    ],
    [
      'a growth',
      () => {
        const b = new ArrayBuffer(8, { maxByteLength: 9 });
        return [
          b,
          () => {
            b.resize(9);
          },
        ];
      },
      /to 9 bytes.*8 bytes/,
    ],
    [
      'growing shared memory',
      () => {
        const b = new SharedArrayBuffer(8, { maxByteLength: 9 });
        return [
          b,
          () => {
            b.grow(9);
          },
        ];
      },
      /to 9 bytes/,
    ],
    [
      'growing WebAssembly memory',
      () => {
        const m = memoryOfPages();
        return [
          m.buffer,
          () => {
            m.grow(1);
          },
        ];
      },
      /detached/,
    ],
  ])('sees %s', (_what, make, message) => {
    const [buffer, change] = make();
    const table = tableOf([3, new Uint8Array(3)], [8, new Uint8Array(buffer, 0, 8)], [2, new Uint8Array(2)]);
    expect(changedSource(table)).toBeUndefined();
    change();
    const error = changedSource(table);
    expect(error?.code).toBe('ERR_SNAPSHARD_SOURCE_DETACHED');
    expect(error?.message).toMatch(/tensor "t1"/);
    expect(error?.message).toMatch(message);
  });
});

describe('fileSource', () => {
  it.each<[object | null, RegExp]>([
    [{ bytes: 1 }, /`fd`/],
    [{ path: '/a', fd: 1, bytes: 1 }, /either/],
    [{ path: '', bytes: 1 }, /`path`/],
    [{ path: '/a\0b', bytes: 1 }, /`path`/],
    [{ path: 7, bytes: 1 }, /`path`/],
    [{ fd: -1, bytes: 1 }, /`fd`/],
    [{ fd: 2 ** 31, bytes: 1 }, /`fd`/],
    [{ fd: 1.5, bytes: 1 }, /`fd`/],
    [{ path: '/a' }, /`bytes`/],
    [{ path: '/a', bytes: -1 }, /`bytes`/],
    [{ path: '/a', bytes: 1, offset: 0.5 }, /`offset`/],
    [{ path: '/a', bytes: 2, offset: Number.MAX_SAFE_INTEGER - 1 }, /`bytes`/],
    [{ path: '/a', bytes: 1, ofset: 0 }, /"ofset"/],
    [null, /received null/],
  ])('refuses %o', (options, message) => {
    expect(() => fileSource(options as never)).toThrow(message);
    expect(codeOf(() => fileSource(options as never))).toBe('ERR_SNAPSHARD_INVALID_ARGUMENT');
  });

  it('begins at 0 where nothing else is said, and may be empty', () => {
    expect(fileSource({ path: '/a', bytes: 0 })).toMatchObject({ file: '/a', offset: 0, bytes: 0 });
    expect(tableOf([0, fileSource({ path: '/a', bytes: 0 })]).sources).toEqual([]);
  });
});
