import { randomFillSync } from 'node:crypto';

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

/** Random bytes in a buffer of their own. */
export function randomBytes(bytes: number): Uint8Array<ArrayBuffer> {
  return fillRandom(new Uint8Array(bytes));
}

export function fillRandom<View extends Uint8Array>(view: View): View {
  const stretchBytes = 2 ** 30;
  for (let at = 0; at < view.byteLength; at += stretchBytes) randomFillSync(view.subarray(at, at + stretchBytes));
  return view;
}

/** The bytes of a view, whatever its class. */
export function bytesOf(view: ArrayBufferView): Buffer {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}
