/** Pulls sources away while the threads of a save read them, at random moments, and tells what became of each save. */
import { MessageChannel } from 'node:worker_threads';
import { CheckpointWriter, SnapshardError, type Published, type TensorInput } from 'snapshard';
import { childArgument } from '../child.js';
import { MiB } from '../bytes.js';
import { readTensors } from '../read_back.js';
import { makeMemory } from '../wasm.js';

export type Way = 'transfer' | 'post' | 'method' | 'empty' | 'shrink' | 'extend' | 'grow' | 'growShared';

export interface Tally {
  /** Saves that were published with the bytes that were there at the call. */
  whole: number;
  /** Saves refused with `ERR_SNAPSHARD_SOURCE_DETACHED`. */
  refused: number;
  /** Anything else, which is wrong. */
  wrong: string[];
}

interface Source {
  data: Uint8Array<ArrayBuffer>;
  pull: () => void;
}

const bytes = 24 * MiB;
const pageBytes = 64 * 1024;

function ofWasm(shared: boolean): Source {
  const memory = makeMemory({ initial: bytes / pageBytes, maximum: bytes / pageBytes + 64, shared });
  return {
    data: new Uint8Array(memory.buffer),
    pull: () => {
      memory.grow(1);
    },
  };
}

function resizable(to: number): Source {
  const buffer = new ArrayBuffer(bytes, { maxByteLength: 2 * bytes });
  return {
    data: new Uint8Array(buffer, 0, bytes),
    pull: () => {
      buffer.resize(to);
    },
  };
}

function detachable(detach: (buffer: ArrayBuffer) => void): Source {
  const buffer = new ArrayBuffer(bytes);
  return {
    data: new Uint8Array(buffer),
    pull: () => {
      detach(buffer);
      globalThis.gc?.();
    },
  };
}

const makers: Record<Way, () => Source> = {
  transfer: () => detachable((buffer) => structuredClone(buffer, { transfer: [buffer] })),
  post: () =>
    detachable((buffer) => {
      const { port1, port2 } = new MessageChannel();
      port1.postMessage(buffer, [buffer]);
      port2.close();
    }),
  method: () =>
    detachable((buffer) => {
      // Node.js 20 has no such method.
      const { transfer } = buffer as { transfer?: (bytes: number) => ArrayBuffer };
      if (transfer === undefined) structuredClone(buffer, { transfer: [buffer] });
      else transfer.call(buffer, 0);
    }),
  empty: () => resizable(0),
  shrink: () => resizable(bytes - 5),
  extend: () => resizable(bytes + 100_000),
  grow: () => ofWasm(false),
  growShared: () => ofWasm(true),
};

const { root, way, rounds, inPool } = childArgument() as { root: string; way: Way; rounds: number; inPool: boolean };
const stagingBytes = (inPool ? 64 : 4) * MiB;
const writer = await CheckpointWriter.open(root, { stagingBytes, blockBytes: MiB });
const tally: Tally = { whole: 0, refused: 0, wrong: [] };

function count(step: number, saved: Published): void {
  const stored = readTensors(saved.path).get('data')!.bytes;
  if (stored.equals(Buffer.alloc(bytes, (step % 255) + 1))) tally.whole += 1;
  else tally.wrong.push(`step ${step} holds other bytes`);
}

for (let step = 0; step < rounds; step++) {
  const { data, pull } = makers[way]();
  data.fill((step % 255) + 1);
  const tensors: Record<string, TensorInput> = { before: new Uint8Array(100), data };
  const save = writer.save({ step, tensors });
  if (step % 3 !== 0) await new Promise((resolve) => setTimeout(resolve, Math.random() * 12));
  pull();
  try {
    count(step, await save);
  } catch (error) {
    if (error instanceof SnapshardError && error.code === 'ERR_SNAPSHARD_SOURCE_DETACHED') tally.refused += 1;
    else tally.wrong.push(String(error));
  }
}
await writer.save({ step: rounds, tensors: { a: new Uint8Array(9) } });
await writer.close();
process.send?.(tally);
process.disconnect();
