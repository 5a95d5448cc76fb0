import fc from 'fast-check';
import { XXHash128 } from 'xxhash-addon';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { SnapshardError } from '../../lib/errors.js';
import { buildPlan } from '../../lib/layout/plan.js';
import { fillRankManifest } from '../../lib/layout/rank_manifest.js';
import { parseRankManifestJson } from '../../lib/layout/rank_manifest_json.js';
import { parseRankManifest } from '../../lib/layout/rank_manifest_reader.js';
import { TimeSlices } from '../../lib/layout/time_slices.js';
import { normalizeTensors } from '../../lib/tensor/normalize.js';
import { patternBytes } from './tensor_arbitraries.js';

type Json = Record<string, unknown>;
type Entries = Json[];

const name = 'ranks/00000.json';
const digest = (bytes: Uint8Array): string => XXHash128.hash(Buffer.from(bytes)).toString('hex');
const listed = (file: string) => ({ name: file, bytes: 7, digest: digest(Buffer.from(file)) });
const u8 = (bytes: number, extra: object = {}) => ({
  ...{ dtype: 'U8', shape: [bytes], data: new Uint8Array(bytes) },
  ...extra,
});

async function write(tensors: Iterable<[string, object]>, shardBytes = Infinity): Promise<Uint8Array> {
  const { specs } = normalizeTensors(tensors as never, () => undefined);
  const plan = buildPlan(specs, { shardBytes });
  const chunks = specs.reduce((sum, { bytes }) => sum + Math.ceil(bytes / 2 ** 20), plan.files.length);
  const result = {
    ...{ writer: 'w1', step: 3, save: 's1a2', worldSize: 1, sideFiles: [listed('config.json')] },
    sliceDigests: patternBytes(plan.order.length * 16, 1),
    fileDigests: patternBytes(plan.files.length * 16, 2),
    digests: { ...listed('ranks/00000.digests'), bytes: chunks * 16 },
  };
  return (await fillRankManifest(plan, result, digest)).slice();
}

/** A manifest with an intact digest, whatever else is wrong with it. */
function seal(manifest: unknown, space?: number): Uint8Array {
  const { digest: _, ...fields } = manifest as Json;
  const text = JSON.stringify(fields, undefined, space).replace(/\n?}$/, '');
  return Buffer.from(`${text},"digest":"${digest(Buffer.from(text))}"}\n`);
}

const parsed = (bytes: Uint8Array): Json => JSON.parse(Buffer.from(bytes).toString()) as Json;
const parse = (bytes: Uint8Array) => parseRankManifest(bytes, digest, name);

async function refusal(bytes: Uint8Array): Promise<string> {
  const error = (await parse(bytes).then(
    () => expect.fail(`was read: ${Buffer.from(bytes).toString().slice(0, 2000)}`),
    (reason: unknown) => reason,
  )) as SnapshardError;
  expect(error).toMatchObject({ name: 'SnapshardError', code: 'ERR_SNAPSHARD_CORRUPT' });
  expect(error.message.startsWith(`${name} is no intact rank manifest: `)).toBe(true);
  return error.message.slice(`${name} is no intact rank manifest: `.length);
}

afterEach(() => {
  vi.restoreAllMocks();
});

const example = await write([
  ['wq', u8(4, { globalShape: [2, 4], shape: [1, 4], origin: [1, 0] })],
  ['m', u8(2 ** 20 + 1, { group: 'optimizer' })],
  ['ß"\\\u0001', u8(3)],
  ['empty', u8(0)],
]);

const shardFile = 'shard-00001-model-00001-of-00001.safetensors';
const sharded = parsed(example);
const files = sharded.files as Entries;
const tensors = sharded.tensors as Entries;
const change = (fields: Json) => ({ ...sharded, ...fields });
const changeFile = (fields: Json) => change({ files: files.map((file, at) => (at === 0 ? { ...file, ...fields } : file)) });
const changeTensor = (fields: Json) =>
  change({ tensors: tensors.map((tensor) => (tensor.name === 'wq' ? { ...tensor, ...fields } : tensor)) });
const tensorOf = (at: string) => tensors.find((tensor) => tensor.name === at)!;
const huge = [2 ** 40, 2 ** 40];

describe('reading a rank manifest', () => {
  it('gives back what was written', async () => {
    const manifest = await parse(example);
    expect(manifest).toEqual(parsed(example));
    expect(manifest.tensors.map((tensor) => tensor.name)).toEqual(['empty', 'wq', 'ß"\\\u0001', 'm']);
    expect(manifest).toMatchObject({ rank: 0, writer: 'w1', step: 3, save: 's1a2', worldSize: 1 });
  });


  it('reads any JSON that says the same, and passes over what it does not know', async () => {
    const manifest = parsed(example);
    expect(await parse(seal(manifest, 2))).toEqual({ ...manifest, digest: expect.any(String) as string });
    const { step, ...rest } = manifest;
    const extra = JSON.parse('{"__proto__":{"rank":9},"tensors":[{"name":"x"},{"name":"y"}],"step":5}') as Json;
    const other = { extra, step, ...rest, tensors: tensors.map((tensor) => ({ ...tensor, extra })) };
    const read = await parse(seal(other));
    expect(read.rank).toBe(0);
    expect(read.tensors).toMatchObject(tensors);
  });

  it('reads many tensors', async () => {
    const names = Array.from({ length: 5000 }, (_, index) => `},{"name":"ß${index}],"step":\\`);
    const bytes = await write(names.map((tensor) => [tensor, u8(3)]), 100);
    const read = await parse(bytes);
    expect(new Set(read.tensors.map((tensor) => tensor.name))).toEqual(new Set(names));
    expect(read).toEqual(parsed(bytes));
  });

  it('refuses one that is cut off or has a changed byte', async () => {
    for (const length of [0, 1, 45, 46, example.length - 47, example.length - 1]) {
      expect(await refusal(example.subarray(0, length))).toMatch(/^it does not end in its digest/);
    }
    for (let position = 0; position < example.length; position += 7) {
      const bad = example.slice();
      bad[position]! ^= 1;
      expect(await refusal(bad)).toMatch(/digest/);
    }
  });

  it('refuses what is no JSON, and JSON that is something else', async () => {
    const sealText = (text: string | Uint8Array): Uint8Array => {
      const body = Buffer.from(text);
      return Buffer.concat([body, Buffer.from(`,"digest":"${digest(body)}"}\n`)]);
    };
    expect(await refusal(sealText('{"format":'))).toMatch(/^it is no JSON/);
    expect(await refusal(sealText(`{"a":${'['.repeat(100_000)}`))).toMatch(/^it is no JSON/);
    expect(await refusal(sealText(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31])))).toMatch(/^it is no JSON/);
    expect(await refusal(sealText('\ufeff{"a":1'))).toMatch(/^it is no JSON/);
    expect(await refusal(sealText('{"a":\u0007😀'))).toMatch(/^it is no JSON [^\p{Cc}\p{Cs}]+$/u);
    expect(await refusal(sealText('{"a":1'))).toMatch(/`format`/);
    expect(await refusal(seal({ ...parsed(example), format: 'snapshard' }))).toContain('"snapshard.rank" for `format`');
  });

  it('refuses the manifest of another rank', async () => {
    const reading = parseRankManifest(example, digest, 'ranks/00001.json');
    await expect(reading).rejects.toThrow('ranks/00001.json is no intact rank manifest: Expected "ranks/00001.json"');
  });
});

describe('a rank manifest with an intact digest', () => {
  const wrong: [string, Json, RegExp][] = [
    ['a version to come', change({ version: '2.0' }), /`version`/],
    ['no version', change({ version: 1 }), /`version`/],
    ['a rank that is none', change({ rank: -1 }), /`rank`/],
    ['a rank beyond the world', change({ rank: 1 }), /`rank`/],
    ['a world without ranks', change({ worldSize: 0 }), /`worldSize`/],
    ['a world too large', change({ worldSize: 1e6 }), /`worldSize`/],
    ['a step that is no integer', change({ step: 2 ** 53 }), /`step`/],
    ['a writer that leads elsewhere', change({ writer: '../x' }), /`writer`/],
    ['an empty save', change({ save: '' }), /`save`/],
    ['no files', change({ files: undefined }), /`files`/],
    ['files that are none', change({ files: [7] }), /a shard/],
    ['a shard outside', changeFile({ name: `../${shardFile}` }), /`name` of a shard/],
    ['a shard of another rank', changeFile({ name: shardFile.replace('00001-m', '00002-m') }), /`name` of a shard/],
    ['a shard of another group', changeFile({ group: 'other' }), /`name` of a shard/],
    ['a shard numbered 2 of 1', changeFile({ name: shardFile.replace('00001-of', '00002-of') }), /`name` of a shard/],
    ['a group that is none', changeFile({ group: '../x' }), /`group`/],
    ['a shard shorter than its header', changeFile({ bytes: 4095 }), /`bytes`/],
    ['a header not aligned', changeFile({ headerBytes: 4097 }), /`headerBytes`/],
    ['a header too early', changeFile({ headerBytes: 0 }), /`headerBytes`/],
    ['a digest in capitals', changeFile({ digest: 'A'.repeat(32) }), /`digest`/],
    ['a shard twice', change({ files: [...files, files[0]] }), /twice/],
    ['a hole at the end of a file', changeFile({ bytes: 99_999 }), /end at byte/],
    ['no list of tensors', change({ tensors: {} }), /`tensors`/],
    ['a tensor that is none', change({ tensors: [null] }), /a tensor/],
    ['a tensor left out', change({ tensors: tensors.filter((tensor) => tensor.name !== 'wq') }), /`range`/],
    ['tensors in another order', change({ tensors: tensors.toReversed() }), /end at byte/],
    ['a tensor without a name', changeTensor({ name: '' }), /name/],
    ['a tensor named as the metadata', changeTensor({ name: '__metadata__' }), /name/],
    ['a name that is not well-formed', changeTensor({ name: '\ud800' }), /name/],
    ['a dtype that is none', changeTensor({ dtype: 'toString' }), /`dtype`/],
    ['a dtype that is another', changeTensor({ dtype: 'F32' }), /`range`/],
    ['a slice outside its tensor', changeTensor({ origin: [2, 0] }), /global shape/],
    ['a slice of fewer dimensions', changeTensor({ origin: [4] }), /global shape/],
    ['a negative size', changeTensor({ shape: [-1, -4] }), /`shape`/],
    ['a size beyond safe integers', changeTensor({ globalShape: [2 ** 53, 4] }), /`globalShape`/],
    ['a size as text', changeTensor({ shape: ['1', 4] }), /`shape`/],
    ['a shape that is an object', changeTensor({ origin: { length: 0 } }), /`origin`/],
    ['65 dimensions', changeTensor({ origin: new Array<number>(65).fill(0) }), /`origin`/],
    ['more bytes than can be counted', changeTensor({ globalShape: huge, shape: huge, origin: [0, 0] }), /2\^53/],
    ['a file that is not there', changeTensor({ file: 9 }), /`file`/],
    ['half a file', changeTensor({ file: 0.5 }), /`file`/],
    ['a file before the first', changeTensor({ file: -1 }), /`file`/],
    ['a range within the header', changeTensor({ range: [0, 4] }), /`range`/],
    ['a range with a third end', changeTensor({ range: [...(tensorOf('wq').range as number[]), 1] }), /`range`/],
    ['a tensor without digest', changeTensor({ digest: undefined }), /`digest`/],
    ['a side file outside', change({ sideFiles: [listed('../x')] }), /side file/],
    ['a side file like a shard', change({ sideFiles: [listed('x.safetensors')] }), /side file/],
    ['a side file twice', change({ sideFiles: [listed('x'), listed('x')] }), /twice/],
    ['a side file of no length', change({ sideFiles: [{ ...listed('x'), bytes: -1 }] }), /`bytes`/],
    ['no digests', change({ digests: undefined }), /`digests`/],
    ['the digests of another rank', change({ digests: listed('ranks/00001.digests') }), /`digests`/],
    ['too few digests', change({ digests: { ...(sharded.digests as Json), bytes: 16 } }), /`bytes` of `digests`/],
  ];

  it.each(wrong)('is refused with %s', async (_, manifest, message) => {
    expect(await refusal(seal(manifest))).toMatch(message);
  });

  it('is refused without any one of its fields', async () => {
    const fields = Object.keys(sharded).filter((field) => field !== 'digest');
    for (const field of fields) await refusal(seal(change({ [field]: undefined })));
    for (const [list, entries] of Object.entries({ files, tensors })) {
      for (const field of Object.keys(entries[0]!)) {
        await refusal(seal(change({ [list]: [{ ...entries[0], [field]: undefined }, ...entries.slice(1)] })));
      }
    }
  });

  it('bears its rank in the names of its shards, of several ranks', async () => {
    const alone = change({
      files: [{ ...files[1], name: 'optimizer-00001-of-00001.safetensors' }],
      tensors: [{ ...tensorOf('m'), file: 0 }],
      digests: { ...(sharded.digests as Json), bytes: 48 },
    });
    await parse(seal(alone));
    expect(await refusal(seal({ ...alone, worldSize: 2 }))).toMatch(/`name` of a shard/);
  });
});

describe('parsing in pieces', () => {
  const inPieces = async (text: string): Promise<unknown> => {
    try {
      return await parseRankManifestJson(Buffer.from(text), new TimeSlices());
    } catch (error) {
      expect(error).toBeInstanceOf(SyntaxError);
      return 'no JSON';
    }
  };
  const inOne = (text: string): unknown => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return 'no JSON';
    }
  };

  it('agrees with parsing in one go', async () => {
    const token = fc.constantFrom('{', '}', '[', ']', ',', '"', '\\', '"tensors":[', '],"step":', '},{"name":', '1', 'ß');
    const at = fc.double({ min: 0, max: 1, noNaN: true });
    const edits = fc.array(fc.record({ at, drop: fc.nat(3), text: token }), { maxLength: 3 });
    const entry = fc.record({ name: fc.array(token).map((tokens) => tokens.join('')), extra: fc.jsonValue() });
    const text = fc
      .tuple(fc.jsonValue(), fc.array(entry, { maxLength: 6 }), fc.nat(2), fc.jsonValue())
      .map(([before, entries, repeated, after]) => {
        const many = Array.from({ length: 1 + repeated * 500 }, () => entries).flat();
        return JSON.stringify({ before, tensors: many, step: after });
      });
    const property = fc.asyncProperty(text, edits, async (original, changes) => {
      let edited = original;
      for (const { at: where, drop, text: inserted } of changes) {
        const position = Math.floor(where * edited.length);
        edited = edited.slice(0, position) + inserted + edited.slice(position + drop);
      }
      expect(await inPieces(edited)).toEqual(inOne(edited));
    });
    await fc.assert(property, { numRuns: 300 });
  });

  it.each([
    '{"tensors":[{"name":"a"}],"step":1,"tensors":[]}',
    '{"tensors":[{"name":"a"}],"step":1,"tensors":[7]}',
    '{"tensors":[],"tensors":[{"name":"a"}],"step":1}',
    '{"a":{"tensors":[{"name":"a"}],"step":1},"tensors":[]}',
    '{"a":{"tensors":[],"step":1},"tensors":[{"name":"a"}],"step":2}',
    '{"a":[{"tensors":[1],"step":1}],"tensors":[]}',
    '{"tensors":[{"name":"a"},],"step":1}',
    '{"tensors":[,{"name":"a"}],"step":1}',
    '{"tensors":[{"x":[{},{"name":"a"}]},{"name":"b"}],"step":1}',
    '[{"tensors":[],"step":1}]',
    '],"step":"tensors":[',
  ])('agrees with parsing in one go: %s', async (text) => {
    expect(await inPieces(text)).toEqual(inOne(text));
  });

  it('gives way to the event loop between pieces', async () => {
    const names = Array.from({ length: 5000 }, (_, index) => `},{"name":"${index}],"step":\\`);
    const bytes = await write(names.map((tensor) => [tensor, u8(3)]));
    let now_ms = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => (now_ms += 20));
    const slices = new TimeSlices();
    const pause = vi.spyOn(slices, 'pause');
    expect(await parseRankManifestJson(bytes, slices)).toEqual(parsed(bytes));
    expect(pause).toHaveBeenCalledTimes(Math.ceil(bytes.length / (64 * 1024)));
  });
});
