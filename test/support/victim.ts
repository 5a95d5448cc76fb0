import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';

/** The bytes of a tensor in a file. */
export interface Owner {
  readonly name: string;
  readonly begin: number;
  readonly end: number;
}

export interface VictimFile {
  readonly name: string;
  readonly bytes: number;
  /** What a shard holds, in its order; nothing for other files. */
  readonly owners: readonly Owner[];
}

export interface FlippedBit {
  readonly file: VictimFile;
  readonly offset: number;
  /** 0 to 7. */
  readonly bit: number;
}

interface HeaderEntry {
  readonly data_offsets: readonly [number, number];
}

/** Which tensor has which bytes of a shard, as the shard itself says. */
function ownersIn(path: string): Owner[] {
  const bytes = readFileSync(path);
  const dataBegin = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, dataBegin)) as Record<string, HeaderEntry>;
  const { __metadata__: _, ...entries } = header;
  return Object.entries(entries).map(([name, { data_offsets: [begin, end] }]) => {
    return { name, begin: dataBegin + begin, end: dataBegin + end };
  });
}

/** All files of a checkpoint that have any bytes. */
export function filesOf(checkpoint: string): VictimFile[] {
  return readdirSync(checkpoint, { recursive: true, encoding: 'utf8' })
    .map((name) => ({ name, status: statSync(join(checkpoint, name)) }))
    .filter(({ status }) => status.isFile() && status.size > 0)
    .map(({ name, status }) => {
      const owners = name.endsWith('.safetensors') ? ownersIn(join(checkpoint, name)) : [];
      return { name, bytes: status.size, owners };
    });
}

/** Any byte; often one of the header of a shard, or one where a tensor, or a chunk of it, begins or ends. */
function anyOffset({ bytes, owners }: VictimFile): fc.Arbitrary<number> {
  const chunkBytes = 2 ** 20;
  const anywhere = fc.noBias(fc.nat(bytes - 1));
  const filled = owners.filter(({ begin, end }) => end > begin);
  if (filled.length === 0) return anywhere;
  const inHeader = fc.noBias(fc.nat(Math.min(...filled.map(({ begin }) => begin)) - 1));
  const borders = filled.flatMap(({ begin, end }) => {
    const chunks = Array.from({ length: Math.ceil((end - begin) / chunkBytes) }, (_, chunk) => begin + chunk * chunkBytes);
    return [...chunks, end];
  });
  const atBorder = fc
    .tuple(fc.constantFrom(...borders), fc.constantFrom(-1, 0))
    .map(([border, step]) => Math.min(border + step, bytes - 1));
  return fc.oneof(anywhere, inHeader, atBorder);
}

/** Any bit of any file: each file as often as any other, whatever its size. */
export function anyBit(files: readonly VictimFile[]): fc.Arbitrary<FlippedBit> {
  return fc
    .constantFrom(...files)
    .chain((file) => fc.record({ file: fc.constant(file), offset: anyOffset(file), bit: fc.nat(7) }));
}

/** Has one bit flipped in place for as long as the function goes on. */
export async function whileFlipped(
  checkpoint: string,
  { file, offset, bit }: FlippedBit,
  look: () => Promise<void>,
): Promise<void> {
  const descriptor = openSync(join(checkpoint, file.name), 'r+');
  const byte = Buffer.alloc(1);
  readSync(descriptor, byte, 0, 1, offset);
  writeSync(descriptor, Uint8Array.of(byte[0]! ^ (1 << bit)), 0, 1, offset);
  try {
    await look();
  } finally {
    writeSync(descriptor, byte, 0, 1, offset);
    closeSync(descriptor);
  }
}
