/** What others may have written: headers of safetensors files, and indexes of Hugging Face. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { headerJsonBytes, parseHeader } from '../../../lib/layout/header_reader.js';
import { parseIndex } from '../../../lib/layout/hf_index_reader.js';
import { changedText, type Changes, changes } from './changes.js';
import type { Documents, ShardDocument } from './documents.js';
import { expectedHeader, expectedIndex } from './header_oracle.js';
import { answerOf, documentAt, type Reader } from './reader.js';

const jsonBytesMax = 100_000_000n;
const codes = ['ERR_SNAPSHARD_CORRUPT', 'ERR_SNAPSHARD_UNKNOWN_DTYPE'] as const;

/** What DCP writes is JSON in a string of JSON: it has changes of its own. */
function withSharding({ value }: ShardDocument, inner: Changes): unknown {
  const header = structuredClone(value) as { __metadata__?: Record<string, unknown> };
  const entries = Object.entries(header).filter(([name]) => name !== '__metadata__');
  const shapes = entries.map(([name, entry]) => [name, { saved_offsets: ((entry as { shape?: unknown[] }).shape ?? []).map((_, at) => at) }]);
  const metadata = header.__metadata__ ?? {};
  metadata.DCP_SHARDING_INFO = changedText(Object.fromEntries(shapes), inner).toString();
  return { ...header, __metadata__: metadata };
}

async function checkHeader(json: Uint8Array, dataBytes: number): Promise<void> {
  const fileBytes = 8 + json.length + dataBytes;
  const read = await answerOf(() => parseHeader(json, fileBytes), codes);
  const expected = expectedHeader(json, fileBytes);
  assert.equal(read !== undefined, expected !== undefined);
  if (read === undefined || expected === undefined) return;
  assert.equal(read.headerBytes, 8 + json.length);
  assert.deepStrictEqual(new Map(read.metadata), expected.metadata);
  assert.deepStrictEqual(
    read.tensors.map((tensor) => ({ ...tensor, shape: [...tensor.shape], origin: [...tensor.origin] })),
    expected.tensors,
  );
}

async function checkLengthWord(start: Uint8Array, fileBytes: number): Promise<void> {
  const length = start.length < 8 ? undefined : Buffer.from(start).readBigUInt64LE();
  const fits = length !== undefined && length <= jsonBytesMax && length + 8n <= BigInt(fileBytes);
  const read = await answerOf(() => headerJsonBytes(start, fileBytes), ['ERR_SNAPSHARD_CORRUPT']);
  assert.equal(read, fits ? Number(length) : undefined);
}

const start = fc.oneof(
  fc.uint8Array({ maxLength: 8 }),
  fc.bigInt({ min: 0n, max: 100_000_010n }).map((value) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    return bytes;
  }),
);

export const headerReader: Reader = {
  name: 'header',
  runs: 4000,
  property: ({ headers }: Documents) =>
    fc.asyncProperty(changes, fc.option(changes, { nil: undefined }), fc.constantFrom(0, 0, 0, 0, 1, -1, 8), start, fc.nat(200_000_000), async (outer, inner, off, word, length) => {
      const document = documentAt(headers, outer.document);
      const value = inner === undefined ? document.value : withSharding(document, inner);
      await checkHeader(changedText(value, outer), Math.max(0, document.dataBytes + off));
      await checkLengthWord(word, length);
    }),
};

export const indexReader: Reader = {
  name: 'index',
  runs: 1500,
  property: ({ indexes }: Documents) =>
    fc.asyncProperty(changes, async (each) => {
      const bytes = changedText(documentAt(indexes, each.document).value, each);
      const read = await answerOf(() => parseIndex(bytes), ['ERR_SNAPSHARD_CORRUPT']);
      assert.deepStrictEqual(read, expectedIndex(bytes));
    }),
};
