import { XXHash128 } from 'xxhash-addon';
import { describe, expect, it } from 'vitest';
import { type ManifestContent, encodeManifest, parseManifestTail } from '../../lib/layout/manifest.js';

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
  save: '0123456789abcdefa12',
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
      save: content.save,
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

  it('tells at its end which save it is of', () => {
    const { bytes, digest: own } = encodeManifest(content, digest);
    const tail = { save: content.save, digest: own };
    expect(parseManifestTail(bytes)).toEqual(tail);
    expect(parseManifestTail(bytes.subarray(-120))).toEqual(tail);
    for (const save of ['a', 'z9'.repeat(32)]) {
      const { bytes: others } = encodeManifest({ ...content, save }, digest);
      expect(parseManifestTail(others)?.save).toBe(save);
    }
  });

  it('tells nothing when it is cut off, or something else', () => {
    const { bytes } = encodeManifest(content, digest);
    for (let cut = 1; cut <= 150; cut += 1) expect(parseManifestTail(bytes.subarray(0, -cut))).toBeUndefined();
    const text = Buffer.from(bytes).toString();
    for (const other of ['', `${text}\n`, text.replace('"save"', '"sane"'), text.replace('a12"', 'A12"')]) {
      expect(parseManifestTail(Buffer.from(other))).toBeUndefined();
    }
  });
});
