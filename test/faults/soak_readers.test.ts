import { beforeAll, expect, it } from 'vitest';
import { JsonReader } from '../../lib/layout/json_reader.js';
import { fuzzReader, pureReaders } from '../soak/readers.js';
import { checkpointReader } from '../soak/readers/checkpoint.js';
import { type Documents, makeDocuments } from '../soak/readers/documents.js';
import { jsonReaderOf } from '../soak/readers/json.js';
import { useRoot } from '../support/root.js';

const root = useRoot();
const seed = 6;
let documents: Documents;

beforeAll(async () => {
  documents = await makeDocuments(seed);
});

it.each(pureReaders)('the reader of $name takes what an oracle takes, and refuses the rest with a code', async (reader) => {
  await fuzzReader(reader, documents, seed, reader.runs / 5);
});

it('a checkpoint with a changed file is found damaged in whatever way it is read', async () => {
  await fuzzReader(await checkpointReader.in(root.path), documents, seed, 25);
});

it.each<[string, (bytes: Uint8Array) => Uint8Array]>([
  ['bytes that are no UTF-8', (bytes) => Buffer.from(Buffer.from(bytes).toString())],
  ['a byte order mark', (bytes) => (bytes[0] === 0xef && bytes[1] === 0xbb ? bytes.subarray(3) : bytes)],
  ['what follows the end', (bytes) => Buffer.from(Buffer.from(bytes).toString('latin1').replace(/\}+$/, '}'), 'latin1')],
])('a reader that takes %s is found out', async (_, change) => {
  const lax = jsonReaderOf((bytes) => new JsonReader(change(bytes)));
  await expect(fuzzReader(lax, documents, seed, 20_000)).rejects.toThrow('the reader of json');
});
