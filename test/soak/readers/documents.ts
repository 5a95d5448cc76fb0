/** Documents as the library itself writes them, of a few checkpoints that a seed decides: what changes are made to. */
import fc from 'fast-check';
import { hexDigestOf } from '../../../examples/check/hash.js';
import { buildIndex } from '../../../lib/layout/hf_index.js';
import { encodeManifest, type ListedFile } from '../../../lib/layout/manifest.js';
import { metadataText } from '../../../lib/layout/metadata.js';
import { rankDigestsName, rankManifestName } from '../../../lib/layout/names.js';
import { buildPlan, type Plan } from '../../../lib/layout/plan.js';
import { fillRankManifest } from '../../../lib/layout/rank_manifest.js';
import { normalizeTensors } from '../../../lib/tensor/normalize.js';
import { tensorMap } from '../../unit/tensor_arbitraries.js';

export const digestOf = (bytes: Uint8Array): string => hexDigestOf(Buffer.from(bytes));

export interface Document {
  /** Parsed. */
  readonly value: unknown;
  readonly text: Buffer;
}

export interface ShardDocument extends Document {
  readonly dataBytes: number;
}

export interface RankDocument extends Document {
  /** Of the file. */
  readonly name: string;
}

export interface Documents {
  readonly headers: ShardDocument[];
  readonly indexes: Document[];
  readonly manifests: Document[];
  readonly ranks: RankDocument[];
}

const sealLength = ',"digest":"'.length + 32 + '"}\n'.length;

/** JSON text, complete or not, with the digest in which manifests end. */
export function seal(text: Buffer): Buffer {
  const body = text.at(-1) === 0x7d ? text.subarray(0, -1) : text;
  return Buffer.concat([body, Buffer.from(`,"digest":"${digestOf(body)}"}\n`)]);
}

const documentOf = (text: Buffer): Document => ({ text, value: JSON.parse(text.toString()) as unknown });
/** Without its seal: changes are made before that is put on. */
const unsealed = (bytes: Uint8Array): Document =>
  documentOf(Buffer.concat([bytes.subarray(0, -sealLength), Buffer.from('}')]));

const metadata = fc.dictionary(fc.string({ maxLength: 6 }), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 4 });

async function addRank(found: Documents, plan: Plan): Promise<{ manifest: ListedFile; digests: ListedFile }> {
  const count = plan.sliceSpecs.length;
  const chunks = plan.files.length + plan.sliceSpecs.reduce((sum, { bytes }) => sum + Math.ceil(bytes / 2 ** 20), 0);
  const digests = { name: rankDigestsName(plan.rank), bytes: chunks * 16, digest: digestOf(Buffer.alloc(chunks * 16)) };
  const zeros = { sliceDigests: Buffer.alloc(count * 16), fileDigests: Buffer.alloc(plan.files.length * 16) };
  const facts = { writer: `w${plan.rank}`, step: 7, save: 's1', worldSize: plan.worldSize, digests };
  const sideFiles = [{ name: 'config.json', bytes: 2, digest: digestOf(Buffer.from('{}')) }];
  const bytes = (await fillRankManifest(plan, { ...facts, ...zeros, sideFiles }, digestOf)).slice();
  const name = rankManifestName(plan.rank);
  found.ranks.push({ ...unsealed(bytes), name });
  for (const { header, bytes: fileBytes } of plan.files) {
    const text = Buffer.from(Buffer.from(header.subarray(8)).toString().trimEnd());
    found.headers.push({ ...documentOf(text), dataBytes: fileBytes - header.length });
  }
  const index = await buildIndex(plan);
  if (index !== undefined) found.indexes.push(documentOf(Buffer.from(index.bytes)));
  return { manifest: { name, bytes: bytes.length, digest: digestOf(bytes) }, digests };
}

function addManifest(found: Documents, ranks: readonly { manifest: ListedFile; digests: ListedFile }[], seed: number): void {
  const [facts] = fc.sample(fc.record({ metadata, step: fc.maxSafeNat(), time: fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) }) }), { seed, numRuns: 1 });
  const { bytes } = encodeManifest(
    {
      ...{ step: facts!.step, time: facts!.time, worldSize: ranks.length, metadata: metadataText(facts!.metadata), save: 's1' },
      files: [{ name: 'config.json', bytes: 2, digest: digestOf(Buffer.from('{}')) }],
      ranks: ranks.map((files, rank) => ({ rank, ...files })),
      indexes: ranks.length > 1 ? [] : [{ name: 'model.safetensors.index.json', bytes: 2, digest: digestOf(Buffer.from('{}')) }],
    },
    digestOf,
  );
  found.manifests.push(unsealed(bytes));
}

/** A manifest so long that it is read in pieces: by what nobody asks for, in one piece or in many that look like tensors. */
function lengthened({ value, name }: RankDocument, pad: unknown): RankDocument {
  const { tensors } = value as { tensors: object[] };
  const [first, ...others] = tensors;
  const text = JSON.stringify(value).replace(JSON.stringify(tensors), () => JSON.stringify([{ ...first, pad }, ...others]));
  return { ...documentOf(Buffer.from(text)), name };
}

/** Documents of a dozen small checkpoints, of one rank and of several. */
export async function makeDocuments(seed: number): Promise<Documents> {
  const found: Documents = { headers: [], indexes: [], manifests: [], ranks: [] };
  const sampled = fc.sample(tensorMap, { seed, numRuns: 12 });
  for (const [at, tensors] of sampled.entries()) {
    const { specs } = normalizeTensors(new Map([...tensors].slice(0, 1 + at)), () => undefined);
    const worldSize = at % 3 === 0 ? 3 : 1;
    const ranks = [];
    for (let rank = 0; rank < worldSize; rank += 1) {
      ranks.push(await addRank(found, buildPlan(specs, { shardBytes: at % 2 === 0 ? Infinity : 2000, rank, worldSize })));
    }
    addManifest(found, ranks, seed + at);
  }
  const filled = found.ranks.filter(({ value }) => (value as { tensors: unknown[] }).tensors.length > 1);
  for (const [at, pad] of ['x'.repeat(70_000), Array<object>(5000).fill({ name: 'x' })].entries()) {
    const document = filled[at % Math.max(filled.length, 1)];
    if (document !== undefined) found.ranks.push(lengthened(document, pad));
  }
  return found;
}
