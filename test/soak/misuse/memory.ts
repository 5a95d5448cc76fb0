import { closeSync, ftruncateSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { fileSource, type Lease } from 'snapshard';
import { KiB, MiB } from '../../support/bytes.js';
import { makeMemory } from '../../support/wasm.js';
import type { Dice } from './dice.js';

/** Memory, or a file, that tensors are saved from and read into, and what its owner may do to it at any time. */
export interface Memory {
  /** What is passed as data. */
  readonly data: () => unknown;
  /** Its bytes; `undefined` where there are none any more. */
  readonly bytes: () => Uint8Array | undefined;
  /** Takes it away, changes its length, or its bytes. */
  readonly pull: () => void;
  /** Goes up when its bytes may have changed. */
  version: number;
  /** Reads that write to it. */
  writing: number;
}

export type Parts = Pick<Memory, 'data' | 'bytes' | 'pull'>;

const sizes = [0, 1, 7, 8, 64, 100, 4095, 4096, 4097, 20_000, 64 * KiB, 200 * KiB];
const pageBytes = 64 * KiB;

export function sizeOf(dice: Dice): number {
  return dice.chance(0.04) ? MiB + dice.below(2 * MiB) : dice.pick(sizes);
}

export function pattern(dice: Dice, view: Uint8Array): Uint8Array {
  const first = dice.below(256);
  for (let index = 0; index < view.length; index += 1) view[index] = (first + index * 31 + (index >> 8)) & 255;
  return view;
}

/** A view that is kept when its memory is taken away. */
function whole(buffer: ArrayBufferLike): Uint8Array {
  return new Uint8Array(buffer);
}

function bytesLeft(view: Uint8Array): Uint8Array | undefined {
  return view.byteLength === 0 ? undefined : view;
}

/** Some versions of Node.js let no lease go. */
function detach(dice: Dice, buffer: ArrayBuffer): void {
  if (buffer.byteLength === 0) return;
  const { port1, port2 } = new MessageChannel();
  try {
    if (dice.chance(0.5)) structuredClone(buffer, { transfer: [buffer] });
    else port1.postMessage(buffer, [buffer]);
  } catch (error) {
    if (!(error instanceof DOMException) || error.name !== 'DataCloneError') throw error;
  } finally {
    port1.close();
    port2.close();
  }
}

function ofBuffer(dice: Dice): Parts {
  const buffer = new ArrayBuffer(sizeOf(dice));
  const view = pattern(dice, whole(buffer));
  const half = buffer.byteLength >> 1;
  const parts = [view.subarray(0, half), view.subarray(half)];
  const data = dice.pick<unknown>([buffer, view, Buffer.from(buffer), new DataView(buffer), [view], parts]);
  return { data: () => data, bytes: () => bytesLeft(view), pull: () => { detach(dice, buffer); } };
}

function ofResizable(dice: Dice): Parts {
  const bytes = sizeOf(dice);
  const buffer = new ArrayBuffer(bytes, { maxByteLength: bytes + 4096 });
  const view = pattern(dice, whole(buffer));
  const data = dice.pick([buffer, view, new Uint8Array(buffer, 0, bytes)]);
  const pull = (): void => {
    if (dice.chance(0.2)) detach(dice, buffer);
    // Once it is detached, it is of no size.
    else if (buffer.maxByteLength > 0) buffer.resize(dice.pick([0, bytes >> 1, bytes, bytes + 4096]));
  };
  return { data: () => data, bytes: () => bytesLeft(view), pull };
}

function ofShared(dice: Dice): Parts {
  const bytes = sizeOf(dice);
  if (dice.chance(0.5)) {
    const buffer = new SharedArrayBuffer(bytes);
    pattern(dice, whole(buffer));
    return { data: () => (dice.chance(0.5) ? buffer : whole(buffer)), bytes: () => whole(buffer), pull: () => undefined };
  }
  const growable = new SharedArrayBuffer(bytes, { maxByteLength: bytes + 4096 });
  pattern(dice, whole(growable));
  const grow = (): void => {
    (growable as unknown as { grow(to: number): void }).grow(growable.byteLength + (growable.byteLength < bytes + 4096 ? 1 : 0));
  };
  return { data: () => growable, bytes: () => whole(growable), pull: grow };
}

function ofWasm(dice: Dice): Parts {
  const memory = makeMemory({ initial: 1, maximum: 4, shared: dice.chance(0.5) });
  pattern(dice, whole(memory.buffer));
  const pull = (): void => {
    if (memory.buffer.byteLength < 4 * pageBytes) memory.grow(1);
  };
  return { data: () => whole(memory.buffer), bytes: () => whole(memory.buffer), pull };
}

function ofFile(dice: Dice, scratch: string): Parts {
  const contents = pattern(dice, new Uint8Array(sizeOf(dice)));
  const path = join(scratch, `source-${dice.below(2 ** 31)}`);
  writeFileSync(path, contents);
  const byDescriptor = (): unknown => {
    const fd = openSync(path, 'r');
    setImmediate(() => { closeSync(fd); });
    return fileSource({ fd, bytes: contents.length });
  };
  const data = dice.pick([() => fileSource({ path, bytes: contents.length }), byDescriptor]);
  const pull = (): void => {
    if (dice.chance(0.3)) {
      rmSync(path, { force: true });
      writeFileSync(path, contents);
      return;
    }
    const fd = openSync(path, 'r+');
    if (dice.chance(0.5)) ftruncateSync(fd, dice.pick([0, contents.length >> 1]));
    else writeSync(fd, contents, 0, contents.length, 0);
    closeSync(fd);
  };
  // A copy: what is done to it leaves the file as it is.
  return { data, bytes: () => Uint8Array.from(contents), pull };
}

/** Of a lease: disposed, or its buffer transferred. */
export function ofLease(dice: Dice, lease: Lease): Memory {
  const { buffer } = lease;
  const view = whole(buffer);
  pattern(dice, view.subarray(0, MiB));
  const data = dice.pick<unknown>([lease, buffer, view, [lease]]);
  const parts: Parts = {
    data: () => data,
    bytes: () => bytesLeft(view),
    pull: () => {
      if (dice.chance(0.6)) lease.dispose();
      else detach(dice, buffer);
    },
  };
  return counted(parts);
}

export function counted(parts: Parts): Memory {
  const memory: Memory = {
    ...{ version: 0, writing: 0, data: parts.data, bytes: parts.bytes },
    pull: () => {
      memory.version += 1;
      parts.pull();
    },
  };
  return memory;
}

export function anyMemory(dice: Dice, scratch: string): Memory {
  const make = dice.weighted<() => Parts>([
    [5, () => ofBuffer(dice)],
    [2, () => ofResizable(dice)],
    [2, () => ofShared(dice)],
    [1, () => ofWasm(dice)],
    [1, () => ofFile(dice, scratch)],
  ]);
  return counted(make());
}
