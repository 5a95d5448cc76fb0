import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { XXHash128 } from 'xxhash-addon';
import { buildIndex } from '../../lib/layout/hf_index.js';
import { encodeManifest, type ListedFile } from '../../lib/layout/manifest.js';
import { metadataText } from '../../lib/layout/metadata.js';
import { buildPlan, type Plan } from '../../lib/layout/plan.js';
import { fillRankManifest } from '../../lib/layout/rank_manifest.js';
import { normalizeTensors } from '../../lib/tensor/normalize.js';
import type { Tensors } from '../../lib/tensor/tensor.js';
import { randomBytes } from './bytes.js';

const chunkBytes = 2 ** 20;
const hash = (bytes: Uint8Array): Buffer => XXHash128.hash(Buffer.from(bytes));

export const xxh3 = (bytes: Uint8Array): string => hash(bytes).toString('hex');

export interface CheckpointContent {
  step?: number;
  time?: Date;
  /** Of each rank; their data is not read: random bytes are written. */
  ranks?: readonly Tensors[];
  metadata?: unknown;
  files?: Readonly<Record<string, string>>;
  shardBytes?: number;
}

interface WrittenRank {
  readonly manifest: ListedFile;
  readonly digests: ListedFile;
  readonly indexes: ListedFile[];
}

function chunkDigests(bytes: Uint8Array): Buffer[] {
  const chunks = Math.ceil(bytes.length / chunkBytes);
  return Array.from({ length: chunks }, (_, chunk) =>
    hash(bytes.subarray(chunk * chunkBytes, (chunk + 1) * chunkBytes)),
  );
}

function list(directory: string, name: string, bytes: Uint8Array): ListedFile {
  writeFileSync(join(directory, name), bytes);
  return { name, bytes: bytes.length, digest: xxh3(bytes) };
}

/** Writes random shards; digests of all chunks, slices and files, in order. */
function writeShards(directory: string, plan: Plan): { chunks: Buffer; slices: Buffer; files: Buffer } {
  const digests = { chunks: [] as Buffer[], slices: [] as Buffer[], files: [] as Buffer[] };
  for (const { path, header, firstSlice, sliceCount } of plan.files) {
    const slices = plan.sliceSpecs.slice(firstSlice, firstSlice + sliceCount).map(({ bytes }) => randomBytes(bytes));
    writeFileSync(join(directory, path), Buffer.concat([header, ...slices]));
    const chunks = slices.map(chunkDigests);
    const all = [hash(header), ...chunks.flat()];
    digests.chunks.push(...all);
    digests.slices.push(...chunks.map((each) => hash(Buffer.concat(each))));
    digests.files.push(hash(Buffer.concat(all)));
  }
  const { chunks, slices, files } = digests;
  return { chunks: Buffer.concat(chunks), slices: Buffer.concat(slices), files: Buffer.concat(files) };
}

async function writeRank(
  directory: string,
  plan: Plan,
  save: { step: number; save: string; worldSize: number; sideFiles: ListedFile[] },
): Promise<WrittenRank> {
  const { chunks, slices: sliceDigests, files: fileDigests } = writeShards(directory, plan);
  const number = String(plan.rank).padStart(5, '0');
  const digests = list(directory, `ranks/${number}.digests`, chunks);
  const result = { writer: `w${plan.rank}`, sliceDigests, fileDigests, digests, ...save };
  const manifest = list(directory, `ranks/${number}.json`, (await fillRankManifest(plan, result, xxh3)).slice());
  const index = await buildIndex(plan);
  return { manifest, digests, indexes: index === undefined ? [] : [list(directory, index.path, index.bytes)] };
}

/** Writes a whole checkpoint by the code that lays one out, with digests of another implementation. */
export async function writeCheckpoint(directory: string, content: CheckpointContent = {}): Promise<void> {
  const { step = 7, time = new Date('2026-11-20T12:00:00Z'), ranks = [{}], metadata = {}, files = {} } = content;
  mkdirSync(join(directory, 'ranks'), { recursive: true });
  const worldSize = ranks.length;
  const sideFiles = Object.entries(files).map(([name, text]) => list(directory, name, Buffer.from(text)));
  const written: WrittenRank[] = [];
  for (const [rank, tensors] of ranks.entries()) {
    const { specs } = normalizeTensors(tensors, () => undefined);
    const plan = buildPlan(specs, { shardBytes: content.shardBytes ?? Infinity, rank, worldSize });
    const own = { step, save: 's1', worldSize, sideFiles: rank === 0 ? sideFiles : [] };
    written.push(await writeRank(directory, plan, own));
  }
  const manifest = encodeManifest(
    {
      ...{ step, time, worldSize, metadata: metadataText(metadata), files: sideFiles, save: 's1' },
      ranks: written.map(({ manifest: rankManifest, digests }, rank) => ({ rank, manifest: rankManifest, digests })),
      indexes: written.flatMap(({ indexes }) => indexes),
    },
    xxh3,
  );
  writeFileSync(join(directory, 'manifest.json'), manifest.bytes);
}

/** JSON with the digest in which manifests end. */
export function seal(manifest: object): Buffer {
  const { digest: _, ...fields } = manifest as Record<string, unknown>;
  const text = JSON.stringify(fields).slice(0, -1);
  return Buffer.from(`${text},"digest":"${xxh3(Buffer.from(text))}"}\n`);
}
