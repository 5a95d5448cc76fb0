import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { binding } from '../lib/binding.js';
import { formatVersion, rankManifestFormat } from '../lib/layout/format.js';
import { rankDigestsName, rankManifestName, ranksDirectory, saveNonce, slicedShardName } from '../lib/layout/names.js';

export const shardings = ['rows', 'grid'] as const;
export type Sharding = (typeof shardings)[number];

/** What one rank holds of every tensor. */
interface Slice {
  globalShape: number[];
  origin: number[];
  shape: number[];
}

/** Of the session in which the ranks are; any digits do. */
export const sessionNonce = 'be4c';
const save = saveNonce(sessionNonce, 1);

export function writerOf(rank: number): string {
  return `writer${rank}`;
}

export const tensorsPerRank = 1000;
/** One digest for the header and one for each tensor, which has one chunk. */
export const digestsBytes = 16 * (tensorsPerRank + 1);

const headerBytes = 135_168;
const elementBytes = 2;
const sliceShape = [4, 1024];
const sliceBytes = 4 * 1024 * elementBytes;

const digest = (text: string | Uint8Array): string => binding.digest(Buffer.from(text));

/** All rows of a tensor in a line over the ranks, or blocks of rows and columns. */
function sliceOf(sharding: Sharding, rank: number, ranks: number): Slice {
  const columns = sharding === 'rows' ? 1 : 2 ** Math.floor(Math.log2(ranks) / 2);
  const [height = 0, width = 0] = sliceShape;
  return {
    globalShape: [(height * ranks) / columns, width * columns],
    origin: [Math.floor(rank / columns) * height, (rank % columns) * width],
    shape: sliceShape,
  };
}

/** Names as models have them. */
function tensorName(index: number): string {
  const parts = ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj', 'self_attn.o_proj', 'mlp.gate_proj'];
  return `model.layers.${Math.floor(index / parts.length)}.${parts[index % parts.length]}.weight`;
}

/** What the writer of this rank would have written, but with digests of nothing real. */
function manifestText(sharding: Sharding, rank: number, ranks: number): string {
  const slice = sliceOf(sharding, rank, ranks);
  const file = {
    name: slicedShardName(rank, 'model', 1, 1),
    bytes: headerBytes + tensorsPerRank * sliceBytes,
    headerBytes,
    group: 'model',
    digest: digest(`shard ${rank}`),
  };
  const seed = file.digest.slice(8);
  const list = Array.from({ length: tensorsPerRank }, (_, index) => {
    const range = [headerBytes + index * sliceBytes, headerBytes + (index + 1) * sliceBytes];
    const digits = index.toString(16).padStart(8, '0') + seed;
    return { name: tensorName(index), dtype: 'BF16', ...slice, file: 0, range, digest: digits };
  });
  const digests = { name: rankDigestsName(rank), bytes: digestsBytes, digest: digest(`digests ${rank}`) };
  const head = { format: rankManifestFormat, version: formatVersion, rank, writer: writerOf(rank) };
  const tail = { step: 1, save, worldSize: ranks, sideFiles: [], digests };
  return JSON.stringify({ ...head, files: [file], tensors: list, ...tail }).slice(0, -1);
}

/** Writes the manifests of all ranks below `folder`; gives way to the event loop between them. */
export async function writeRankManifests(
  folder: string,
  { sharding, ranks }: { sharding: Sharding; ranks: number },
  signal: AbortSignal,
): Promise<void> {
  mkdirSync(join(folder, ranksDirectory));
  for (let rank = 0; rank < ranks; rank++) {
    const text = manifestText(sharding, rank, ranks);
    writeFileSync(join(folder, rankManifestName(rank)), `${text},"digest":"${digest(text)}"}\n`);
    if (rank % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
  }
}
