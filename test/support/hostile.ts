import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { binding } from '../../lib/binding.js';
import { removeFolder } from './disk_folder.js';

/** One change of a text: some of it replaced, a number made another, or a stretch doubled. */
export interface Edit {
  readonly how: 'splice' | 'number' | 'double';
  /** Where: 0 at its start, below 1. */
  readonly at: number;
  readonly length: number;
  readonly text: string;
  readonly number: string;
}

const tokens = [
  ...Array.from('{}[],:"\\0 \u0001'),
  ...['"a"', '"__proto__":', '"__metadata__":', '"dtype":"F64",', '[[[[', '\\u0061', '\\ud800', 'null', '1e9', '-'],
];
const numbers = ['0', '1', '2', '5', '4095', '4096', '2147483648', '4294967296', '9007199254740991', '9007199254740992'];

export const edits: fc.Arbitrary<Edit[]> = fc.array(
  fc.record({
    how: fc.constantFrom<Edit['how']>('splice', 'number', 'number', 'double'),
    at: fc.nat(9999).map((place) => place / 10_000),
    length: fc.nat(40),
    text: fc.constantFrom('', ...tokens),
    number: fc.oneof(fc.constantFrom(...numbers), fc.nat(300).map(String)),
  }),
  { maxLength: 3 },
);

function apply(text: string, { how, at, length, text: inserted, number }: Edit): string {
  const position = Math.floor(at * text.length);
  if (how === 'splice') return text.slice(0, position) + inserted + text.slice(position + (length % 4));
  if (how === 'double') return text.slice(0, position + length) + text.slice(position);
  const found = [...text.matchAll(/\d+/g)];
  const match = found[Math.floor(at * found.length)];
  if (match === undefined) return text;
  return text.slice(0, match.index) + number + text.slice(match.index + match[0].length);
}

export function edited(text: string, changes: readonly Edit[]): string {
  return changes.reduce(apply, text);
}

export const entry = (dtype: string, shape: number[], begin: number, end: number): object => ({
  ...{ dtype, shape, data_offsets: [begin, end] },
});

/** A safetensors file of this JSON, with so many bytes of data. */
export function safetensors(json: string, dataBytes: number, lengthWord = BigInt(Buffer.byteLength(json))): Buffer {
  const word = Buffer.alloc(8);
  word.writeBigUInt64LE(BigInt.asUintN(64, lengthWord));
  return Buffer.concat([word, Buffer.from(json), Buffer.alloc(dataBytes, 7)]);
}

/** An empty directory of that name. */
export function fresh(folder: string, name: string): string {
  const path = join(folder, name);
  removeFolder(path);
  mkdirSync(join(path, 'ranks'), { recursive: true });
  return path;
}

const listed = (name: string, bytes: Uint8Array): object => ({ name, bytes: bytes.length, digest: binding.digest(bytes) });

/** JSON text, complete or not, with the digest in which manifests end. */
export function sealText(text: string): Buffer {
  const body = text.replace(/}\n?$/, '');
  return Buffer.from(`${body},"digest":"${binding.digest(Buffer.from(body))}"}\n`);
}

/** A checkpoint of our own of which only the rank manifest is what somebody else wants. */
export function aroundRank(path: string, rank: Uint8Array, digestsBytes = 32): void {
  const digests = Buffer.alloc(digestsBytes);
  const ranks = [
    { rank: 0, manifest: listed('ranks/00000.json', rank), digests: { name: 'ranks/00000.digests', bytes: digestsBytes, digest: '0'.repeat(32) } },
  ];
  const time = '2026-11-20T12:00:00Z';
  const manifest = { format: 'snapshard', version: '1.0', step: 1, time, worldSize: 1, metadata: {}, files: [], ranks };
  writeFileSync(join(path, 'ranks/00000.json'), rank);
  writeFileSync(join(path, 'ranks/00000.digests'), digests);
  writeFileSync(join(path, 'manifest.json'), sealText(JSON.stringify({ ...manifest, indexes: [], save: 's1' })));
}
