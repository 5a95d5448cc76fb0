import { MessageChannel } from 'node:worker_threads';
import { MiB } from './bytes.js';
import { makeMemory } from './wasm.js';

/** How JavaScript takes memory away. */
export type Way = 'transfer' | 'post' | 'method' | 'empty' | 'shrink' | 'extend' | 'grow' | 'growShared';

/** Memory, and what takes it away. */
export interface PulledMemory {
  data: Uint8Array<ArrayBuffer>;
  pull: () => void;
}

/** Of each memory. */
export const pulledBytes = 24 * MiB;
const pageBytes = 64 * 1024;

function ofWasm(shared: boolean): PulledMemory {
  const memory = makeMemory({ initial: pulledBytes / pageBytes, maximum: pulledBytes / pageBytes + 64, shared });
  return {
    data: new Uint8Array(memory.buffer),
    pull: () => {
      memory.grow(1);
    },
  };
}

function resizable(to: number): PulledMemory {
  const buffer = new ArrayBuffer(pulledBytes, { maxByteLength: 2 * pulledBytes });
  return {
    data: new Uint8Array(buffer, 0, pulledBytes),
    pull: () => {
      buffer.resize(to);
    },
  };
}

function detachable(detach: (buffer: ArrayBuffer) => void): PulledMemory {
  const buffer = new ArrayBuffer(pulledBytes);
  return {
    data: new Uint8Array(buffer),
    pull: () => {
      detach(buffer);
      globalThis.gc?.();
    },
  };
}

export const pulledMemory: Record<Way, () => PulledMemory> = {
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
  shrink: () => resizable(pulledBytes - 5),
  extend: () => resizable(pulledBytes + 100_000),
  grow: () => ofWasm(false),
  growShared: () => ofWasm(true),
};
