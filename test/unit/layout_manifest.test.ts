import { XXHash128 } from 'xxhash-addon';
import { describe, expect, it } from 'vitest';
import { type ManifestContent, encodeManifest } from '../../lib/layout/manifest.js';

const digest = (bytes: Uint8Array): string => XXHash128.hash(Buffer.from(bytes)).toString('hex');
const listed = (name: string) => ({ name, bytes: 7, digest: digest(Buffer.from(name)) });

const content: ManifestContent = {
  step: 1000,
  time: new Date(Date.UTC(2026, 10, 20, 1, 2, 3, 4)),
  worldSize: 1,
  metadata: '{"loss":1.5,"text":"ß\\"}"}',
  files: [listed('config.json')],
  ranks: [{ rank: 0, manifest: listed('ranks/00000.json'), digests: listed('ranks/00000.digests') }],
  indexes: [listed('model.safetensors.index.json')],
};

describe('the manifest', () => {
  it('holds what it is given', () => {
    const { bytes, digest: own } = encodeManifest(content, digest);
    expect(JSON.parse(Buffer.from(bytes).toString())).toEqual({
      ...{ format: 'snapshard', version: '1.0', step: 1000, time: '2026-11-20T01:02:03.004Z', worldSize: 1 },
      metadata: { loss: 1.5, text: 'ß"}' },
      files: content.files,
      ranks: content.ranks,
      indexes: content.indexes,
      digest: own,
    });
  });

  it('ends in the digest of all that is before it', () => {
    for (const metadata of ['{}', content.metadata, '{"digest":"x"}']) {
      const { bytes, digest: own } = encodeManifest({ ...content, metadata, files: [], indexes: [] }, digest);
      const text = Buffer.from(bytes);
      const tail = `,"digest":"${own}"}\n`;
      expect(own).toMatch(/^[0-9a-f]{32}$/);
      expect(text.subarray(-tail.length).toString()).toBe(tail);
      expect(digest(text.subarray(0, -tail.length))).toBe(own);
    }
  });

  it('lists no more of a file than belongs there', () => {
    const extra = { ...listed('a'), contents: new Uint8Array(3) };
    const { bytes } = encodeManifest({ ...content, files: [extra] }, digest);
    expect((JSON.parse(Buffer.from(bytes).toString()) as { files: unknown }).files).toEqual([listed('a')]);
  });
});
