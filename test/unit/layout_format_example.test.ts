import { readFileSync } from 'node:fs';
import { XXHash128 } from 'xxhash-addon';
import { describe, expect, it } from 'vitest';
import { buildIndex } from '../../lib/layout/hf_index.js';
import { type ListedFile, encodeManifest } from '../../lib/layout/manifest.js';
import { metadataText } from '../../lib/layout/metadata.js';
import { buildPlan } from '../../lib/layout/plan.js';
import { fillRankManifest } from '../../lib/layout/rank_manifest.js';
import { normalizeTensors } from '../../lib/tensor/normalize.js';

const page = readFileSync(new URL('../../docs/format.md', import.meta.url), 'utf8');
/** The fenced blocks of the worked example, by the title in their info string. */
const blocks = new Map(
  [...page.matchAll(/^```\w+ title="([^"]+)"\n([^]*?)^```$/gm)].map(([, title, text]) => [title!, text!]),
);
const block = (title: string): string => blocks.get(title) ?? expect.fail(`docs/format.md shows no ${title}`);

const hash = (bytes: Uint8Array): Buffer => XXHash128.hash(Buffer.from(bytes));
const hexDigest = (bytes: Uint8Array): string => hash(bytes).toString('hex');
const listed = (name: string, bytes: Uint8Array): ListedFile => ({
  name,
  bytes: bytes.length,
  digest: hexDigest(bytes),
});

/** The example, made by the code that makes checkpoints, with every digest from an implementation that it does not use. */
async function makeExample() {
  const tensors = { wq: new Float32Array([1, 2, 3, 4]), step: new BigInt64Array([7n]) };
  const shaped = {
    wq: { dtype: 'F32', shape: [2, 2], data: tensors.wq },
    step: { dtype: 'I64', shape: [], data: tensors.step },
  } as const;
  const plan = buildPlan(normalizeTensors(shaped, () => undefined).specs, { shardBytes: Infinity });
  const { header } = plan.files[0]!;
  const chunks = [header, tensors.step, tensors.wq].map((data) => hash(new Uint8Array(data.buffer)));
  const digests = Buffer.concat(chunks);
  const sliceDigests = Buffer.concat(chunks.slice(1).map(hash));
  const shared = { step: 7, save: '2c26b46b68ffc68f', worldSize: 1 };
  const sideFiles = [listed('config.json', Buffer.from('{"layers":1}\n'))];
  const listedDigests = listed('ranks/00000.digests', digests);
  const result = {
    ...{ writer: '9f86d081884c7d65', sliceDigests, fileDigests: hash(digests) },
    ...{ ...shared, sideFiles, digests: listedDigests },
  };
  const rank = await fillRankManifest(plan, result, hexDigest);
  const index = await buildIndex(plan);
  const manifest = encodeManifest(
    {
      ...{ ...shared, time: new Date('2026-11-20T12:00:00Z'), metadata: metadataText({ loss: 0.5 }) },
      files: sideFiles,
      ranks: [{ rank: 0, manifest: listed('ranks/00000.json', rank), digests: listedDigests }],
      indexes: [listed(index!.path, index!.bytes)],
    },
    hexDigest,
  );
  return { header, chunks, digests, rank, index: index!.bytes, manifest: manifest.bytes };
}

const json = (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes).toString());

describe('the worked example of docs/format.md', async () => {
  const example = await makeExample();

  it('shows the header', () => {
    const text = Buffer.from(example.header.subarray(8)).toString();
    expect(block('header').trimEnd()).toBe(text.trimEnd());
    expect(page).toContain(`and ${text.length - text.trimEnd().length} spaces`);
  });

  it('shows the chunk digests', () => {
    const lines = block('ranks/00000.digests').trimEnd().split('\n');
    expect(lines.map((line) => line.split(' ')[0])).toEqual(example.chunks.map((digest) => digest.toString('hex')));
  });

  it.each([
    ['ranks/00000.json', example.rank],
    ['model.safetensors.index.json', example.index],
    ['manifest.json', example.manifest],
  ])('shows %s', (title, bytes) => {
    expect(JSON.parse(block(title))).toEqual(json(bytes));
    expect(Object.keys(JSON.parse(block(title)) as object)).toEqual(Object.keys(json(bytes) as object));
  });

  it('tells how long the files are', () => {
    const { index, manifest, rank } = example;
    expect(page).toContain(`${index.length} and ${manifest.length} bytes long, and the rank manifest ${rank.length}.`);
  });

  it('names the digest of nothing', () => {
    expect(page).toContain(hash(Buffer.alloc(0)).toString('hex'));
  });
});
