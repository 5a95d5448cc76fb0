import { integers, parseJson, record, text } from './json.js';
import type { SequentialReader } from './reader.js';

export interface StoredTensor {
  name: string;
  dtype: string;
  shape: number[];
  /** Bytes from the start of the file. */
  begin: number;
  end: number;
}

export interface Header {
  /** All of it: length word, JSON, padding. */
  bytes: Buffer;
  metadata: Record<string, string>;
  /** In the order of the file. */
  tensors: StoredTensor[];
}

const lengthWordBytes = 8;
const alignmentBytes = 4096;
const headerBytesMax = 25_000_000;

const dtypeBits: Record<string, number> = {
  BOOL: 8, F4: 4, F6_E2M3: 6, F6_E3M2: 6, U8: 8, I8: 8, F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8, I16: 16, U16: 16, F16: 16, BF16: 16, I32: 32, U32: 32, F32: 32, C64: 64, F64: 64, I64: 64, U64: 64,
};

/** Reads the header and checks every rule of safetensors, and that tensor data begins at a multiple of 4096. */
export async function readHeader(reader: SequentialReader): Promise<Header> {
  const lengthWord = Buffer.from(await reader.take(lengthWordBytes));
  const length = lengthWord.readBigUInt64LE();
  if (length >= headerBytesMax) throw new Error(`its header would be ${length} bytes long`);
  const json = Buffer.from(await reader.take(Number(length)));
  const dataBegin = lengthWordBytes + json.length;
  if (dataBegin % alignmentBytes !== 0) throw new Error(`its data begins at byte ${dataBegin}, not a multiple of 4096`);

  const decoded = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json).replace(/ +$/, '');
  if (!/^{.*}$/s.test(decoded)) throw new Error('its header is not an object padded with spaces');
  const { __metadata__: metadata = {}, ...entries } = record(parseJson(decoded), 'the header');
  const tensors = Object.entries(entries).map(([name, entry]) => storedTensor(name, entry, dataBegin));
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  requireContiguous(tensors, dataBegin, reader.bytes);
  return { bytes: Buffer.concat([lengthWord, json]), metadata: strings(metadata), tensors };
}

function storedTensor(name: string, value: unknown, dataBegin: number): StoredTensor {
  const entry = record(value, name);
  const dtype = text(entry.dtype, `the dtype of ${name}`);
  const shape = integers(entry.shape, `the shape of ${name}`);
  const offsets = integers(entry.data_offsets, `the offsets of ${name}`);
  const [begin, end] = offsets;
  if (begin === undefined || end === undefined || offsets.length !== 2) throw new Error(`${name} lacks two offsets`);
  if (end - begin !== tensorBytes(dtype, shape)) throw new Error(`${name} has ${end - begin} bytes, unlike its shape`);
  return { name, dtype, shape, begin: dataBegin + begin, end: dataBegin + end };
}

export function tensorBytes(dtype: string, shape: readonly number[]): number {
  const bits = dtypeBits[dtype];
  if (bits === undefined) throw new Error(`unknown dtype ${dtype}`);
  return (shape.reduce((product, extent) => product * extent, 1) * bits) / 8;
}

function requireContiguous(tensors: StoredTensor[], dataBegin: number, fileBytes: number): void {
  let at = dataBegin;
  for (const { name, begin, end } of tensors) {
    if (begin !== at) throw new Error(`${name} begins at byte ${begin}, but the tensor before it ends at ${at}`);
    at = end;
  }
  if (at !== fileBytes) throw new Error(`its tensors end at byte ${at}, but the file at ${fileBytes}`);
}

function strings(value: unknown): Record<string, string> {
  const entries = Object.entries(record(value, '__metadata__'));
  return Object.fromEntries(entries.map(([key, item]) => [key, text(item, `__metadata__.${key}`)]));
}
