/** What a checkpoint of our own says of itself. Whoever means harm puts the right digest on it. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { encodeManifest, parseManifestTail } from '../../../lib/layout/manifest.js';
import { type Manifest, parseManifest } from '../../../lib/layout/manifest_reader.js';
import { metadataText } from '../../../lib/layout/metadata.js';
import { rankManifestName } from '../../../lib/layout/names.js';
import { parseRankManifest } from '../../../lib/layout/rank_manifest_reader.js';
import { byteChange, changedBytes, changedText, changedValue, changes } from './changes.js';
import { digestOf, type Documents, seal } from './documents.js';
import { isManifest, isRankManifest } from './manifest_oracle.js';
import { answerOf, documentAt, type Reader } from './reader.js';

/** Changes that come after the seal, and so break it. */
const later = fc.oneof({ weight: 9, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.array(byteChange, { maxLength: 2 }) });

/** Written again, it reads the same; but for metadata that no writer takes. */
async function checkRewritten(manifest: Manifest): Promise<void> {
  const text = await answerOf(() => metadataText(manifest.metadata), ['ERR_SNAPSHARD_INVALID_METADATA']);
  if (text === undefined) return;
  const { bytes, digest } = encodeManifest({ ...manifest, metadata: text }, digestOf);
  const again = await parseManifest(bytes, digestOf);
  assert.deepStrictEqual(again.metadata, manifest.metadata);
  assert.equal(JSON.stringify({ ...again, digest: '' }), JSON.stringify({ ...manifest, digest: '' }));
  assert.deepStrictEqual(parseManifestTail(bytes), { save: manifest.save, digest });
}

export const manifestReader: Reader = {
  name: 'manifest',
  runs: 2500,
  property: ({ manifests }: Documents) =>
    fc.asyncProperty(changes, later, async (each, broken) => {
      const sealed = seal(changedText(documentAt(manifests, each.document).value, each));
      const bytes = changedBytes(sealed, broken);
      const codes = ['ERR_SNAPSHARD_CORRUPT', 'ERR_SNAPSHARD_UNSUPPORTED_VERSION'] as const;
      const read = await answerOf(() => parseManifest(bytes, digestOf), codes, 'manifest.json');
      assert.equal(read !== undefined, bytes.equals(sealed) && isManifest(sealed));
      if (read !== undefined) await checkRewritten(read);
      parseManifestTail(bytes);
    }),
};

/** Counts the chunks anew, so that a file more or less is not refused for that alone. */
function countedAnew(document: unknown): unknown {
  const { files, tensors, digests } = document as Partial<Record<'files' | 'tensors' | 'digests', unknown>>;
  if (!Array.isArray(files) || !Array.isArray(tensors) || typeof digests !== 'object' || digests === null) return document;
  let chunks = files.length;
  for (const tensor of tensors as ({ range?: unknown } | null)[]) {
    const [begin, end] = Array.isArray(tensor?.range) ? (tensor.range as unknown[]) : [];
    if (typeof begin === 'number' && typeof end === 'number') chunks += Math.ceil((end - begin) / 2 ** 20);
  }
  return { ...(document as object), digests: { ...digests, bytes: chunks * 16 } };
}

export const rankReader: Reader = {
  name: 'rank',
  runs: 2500,
  property: ({ ranks }: Documents) =>
    fc.asyncProperty(changes, later, fc.boolean(), fc.constantFrom(0, 0, 0, 0, 0, 1, 98_000), async (each, broken, counted, off) => {
      const document = documentAt(ranks, each.document);
      const value = changedValue(document.value, each.values);
      const sealed = seal(changedText(counted ? countedAnew(value) : value, { ...each, values: [] }));
      const bytes = changedBytes(sealed, broken);
      const rank = Number(/\d+/.exec(document.name)?.[0]) + off;
      const name = rankManifestName(rank);
      const read = await answerOf(() => parseRankManifest(bytes, digestOf, name), ['ERR_SNAPSHARD_CORRUPT'], name);
      assert.equal(read !== undefined, bytes.equals(sealed) && isRankManifest(sealed, rank));
      if (read !== undefined) assert.deepStrictEqual(read, JSON.parse(bytes.toString()));
    }),
};
