import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CheckpointWriter, fileSource, type Dtype, type TensorData, type TensorInput, type WriterOptions } from 'snapshard';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bytesOf, fillRandom, MiB, randomBytes } from '../support/bytes.js';
import { makeMemory } from '../support/wasm.js';
import { readTensors } from '../support/read_back.js';
import { useRoot } from '../support/root.js';

const root = useRoot();
let writer: CheckpointWriter;

beforeEach(async () => {
  writer = await CheckpointWriter.open(root.path, { stagingBytes: 16 * MiB, blockBytes: MiB });
});

afterEach(() => writer.close());

async function savedBytes(data: TensorData, bytes: number): Promise<Buffer> {
  const saved = await writer.save({ step: 1, overwrite: true, tensors: { data: { dtype: 'U8', shape: [bytes], data } } });
  return readTensors(saved.path).get('data')!.bytes;
}

describe('dtypes', () => {
  const bits: Record<Dtype, number> = {
    BOOL: 8, F4: 4, F6_E2M3: 6, F6_E3M2: 6, U8: 8, I8: 8, F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8,
    F8_E5M2FNUZ: 8, I16: 16, U16: 16, F16: 16, BF16: 16, I32: 32, U32: 32, F32: 32, C64: 64, F64: 64, I64: 64, U64: 64,
  };

  it('come back as they were, from raw bytes', async () => {
    const tensors = new Map<string, TensorInput & { data: Uint8Array }>();
    for (const dtype of Object.keys(bits) as Dtype[]) {
      tensors.set(dtype, { dtype, shape: [3, 8], data: randomBytes((24 * bits[dtype]) / 8) });
    }
    const saved = await writer.save({ step: 1, tensors });
    const stored = readTensors(saved.path);
    expect(stored.size).toBe(tensors.size);
    for (const [dtype, { data }] of tensors) {
      expect(stored.get(dtype)).toEqual({ dtype, shape: [3, 8], bytes: Buffer.from(data) });
    }
  });

  it('are those of bare typed arrays', async () => {
    const tensors = {
      I8: new Int8Array([-1, 2]), U8: new Uint8Array([1, 2]), I16: new Int16Array([-1, 2]), U16: new Uint16Array([1, 2]),
      I32: new Int32Array([-1, 2]), U32: new Uint32Array([1, 2]), F32: new Float32Array([0.5, 2]),
      F64: new Float64Array([0.5, 2]), I64: new BigInt64Array([-1n, 2n]), U64: new BigUint64Array([1n, 2n]),
    };
    const stored = readTensors((await writer.save({ step: 1, tensors })).path);
    for (const [dtype, view] of Object.entries(tensors)) {
      expect(stored.get(dtype)).toEqual({ dtype, shape: [2], bytes: bytesOf(view) });
    }
  });
});

describe('sources', () => {
  const bytes = 3 * MiB + 17;

  it('ArrayBuffer', async () => {
    const data = randomBytes(bytes);
    expect((await savedBytes(data.buffer, bytes)).equals(data)).toBe(true);
  });

  it('views into the middle of a buffer: typed array, Buffer, DataView', async () => {
    const whole = randomBytes(bytes + 100);
    for (const view of [
      whole.subarray(5, 5 + bytes),
      Buffer.from(whole.buffer, 6, bytes),
      new DataView(whole.buffer, 7, bytes),
    ]) {
      expect((await savedBytes(view, bytes)).equals(bytesOf(view))).toBe(true);
    }
  });

  it('Buffers of the pool that Node shares among small ones', async () => {
    const tensors: Record<string, TensorInput> = {};
    for (let index = 0; index < 50; index++) tensors[`t${index}`] = Buffer.from(`number ${index}`);
    const stored = readTensors((await writer.save({ step: 1, tensors })).path);
    for (let index = 0; index < 50; index++) expect(stored.get(`t${index}`)!.bytes.toString()).toBe(`number ${index}`);
  });

  it('SharedArrayBuffer, whole and as a view', async () => {
    const shared = new SharedArrayBuffer(bytes);
    const data = fillRandom(new Uint8Array(shared));
    expect((await savedBytes(shared, bytes)).equals(data)).toBe(true);
    expect((await savedBytes(data.subarray(9), bytes - 9)).equals(data.subarray(9))).toBe(true);
  });

  it('WebAssembly memory, its own and shared', async () => {
    for (const shared of [false, true]) {
      const data = fillRandom(new Uint8Array(makeMemory({ initial: 64, maximum: 65, shared }).buffer));
      expect((await savedBytes(data, data.length)).equals(data)).toBe(true);
    }
  });

  it('resizable ArrayBuffer', async () => {
    const buffer = new ArrayBuffer(bytes, { maxByteLength: bytes * 2 });
    const data = fillRandom(new Uint8Array(buffer));
    expect((await savedBytes(data, bytes)).equals(data)).toBe(true);
  });

  it('lists of views that follow each other, empty ones among them', async () => {
    const whole = randomBytes(bytes);
    const cuts = [0, 1, 1, 4096, 4097, MiB, MiB + 3, 2 * MiB, bytes];
    const parts = cuts.slice(1).map((end, index) => whole.slice(cuts[index], end));
    expect((await savedBytes(parts, bytes)).equals(whole)).toBe(true);
  });

  it('leases, whole and as views', async () => {
    using lease = writer.allocate(bytes);
    expect(lease.bytes).toBe(bytes);
    const data = fillRandom(new Uint8Array(lease.buffer));
    expect((await savedBytes(lease, bytes)).equals(data)).toBe(true);
    expect((await savedBytes(data.subarray(4097), bytes - 4097)).equals(data.subarray(4097))).toBe(true);
  });

  it('files by path and by descriptor, which may be closed after the call', async () => {
    const data = randomBytes(bytes);
    const path = join(root.path, 'source.bin');
    writeFileSync(path, data);
    expect((await savedBytes(fileSource({ path, bytes }), bytes)).equals(data)).toBe(true);
    const descriptor = openSync(path, 'r');
    const source = fileSource({ fd: descriptor, offset: 1000, bytes: bytes - 1000 });
    const reading = savedBytes(source, bytes - 1000);
    closeSync(descriptor);
    expect((await reading).equals(data.subarray(1000))).toBe(true);
  });

  it('of every kind in one tensor', async () => {
    const path = join(root.path, 'source.bin');
    const whole = randomBytes(bytes);
    writeFileSync(path, whole.subarray(0, MiB));
    using lease = writer.allocate(MiB);
    new Uint8Array(lease.buffer).set(whole.subarray(MiB, 2 * MiB));
    const shared = new Uint8Array(new SharedArrayBuffer(777));
    shared.set(whole.subarray(2 * MiB, 2 * MiB + 777));
    const parts = [fileSource({ path, bytes: MiB }), lease, shared, whole.subarray(2 * MiB + 777)];
    expect((await savedBytes(parts, bytes)).equals(whole)).toBe(true);
  });
});

function leased(bytes: number): Uint8Array {
  return fillRandom(new Uint8Array(writer.allocate(bytes).buffer));
}

describe('engines', () => {
  const sizes = [0, 1, 511, 512, 4095, 4096, 4097, MiB - 1, MiB, MiB + 1, 2 * MiB, 9 * MiB + 5];
  const ways: WriterOptions[] = [
    { engine: 'io_uring' },
    { engine: 'pwrite' },
    { engine: 'io_uring', direct: false },
    { engine: 'pwrite', direct: false },
    { stagingBytes: 2 * MiB, blockBytes: MiB, queueDepth: 1, threads: 1 },
    { stagingBytes: 64 * MiB, blockBytes: 16 * MiB, queueDepth: 64, threads: 4 },
  ];

  it('write the same bytes, direct or buffered, copied or in place, whatever the blocks', async () => {
    const leases = sizes.map((size) => (size === 0 ? new Uint8Array() : leased(size)));
    const tensors = Object.fromEntries(leases.map((lease, index) => [`t${index}`, lease]));
    const digests = new Set<string>();
    const bytes = new Set<string>();
    for (const [index, options] of ways.entries()) {
      for (const inPlace of [false, true]) {
        await using other = await CheckpointWriter.open(root.path, options);
        const saved = await other.save({ step: index * 2 + Number(inPlace), tensors, inPlace });
        if (options.direct === false) expect(saved).toMatchObject({ engine: 'pwrite', direct: 'no' });
        else expect(saved.engine).toBe(options.engine ?? 'io_uring');
        digests.add(readFileSync(join(saved.path, 'ranks/00000.digests'), 'hex'));
        const stored = readTensors(saved.path);
        bytes.add([...stored].map(([name, tensor]) => `${name} ${tensor.bytes.toString('latin1')}`).join());
      }
    }
    expect([digests.size, bytes.size]).toEqual([1, 1]);
  });
});
