import { readFileSync } from 'node:fs';

/** In the order of the recording: what recorder.c appends. */
export type DiskRecord =
  | { readonly kind: 'write'; readonly offset: number; readonly data: Uint8Array; readonly asked: number }
  | { readonly kind: 'flush' }
  | { readonly kind: 'mark'; readonly text: string };

export type DiskWrite = DiskRecord & { kind: 'write' };

const headerBytes = 24;

function recordOf(header: DataView, data: Buffer): DiskRecord {
  const kind = header.getUint32(0, true);
  if (kind === 1) {
    const asked = Number(header.getBigUint64(16, true));
    return { kind: 'write', offset: Number(header.getBigUint64(8, true)), data, asked };
  }
  if (kind === 2) return { kind: 'flush' };
  if (kind === 3) return { kind: 'mark', text: data.toString() };
  throw new Error(`The recording holds a record of kind ${kind}.`);
}

export function readRecording(path: string): DiskRecord[] {
  const bytes = readFileSync(path);
  const records: DiskRecord[] = [];
  for (let at = 0; at < bytes.length; ) {
    const header = new DataView(bytes.buffer, bytes.byteOffset + at, headerBytes);
    const end = at + headerBytes + header.getUint32(4, true);
    records.push(recordOf(header, bytes.subarray(at + headerBytes, end)));
    at = end;
  }
  return records;
}
