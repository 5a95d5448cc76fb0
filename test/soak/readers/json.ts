import assert from 'node:assert/strict';
import fc from 'fast-check';
import { JsonReader } from '../../../lib/layout/json_reader.js';
import { changedText, changes } from './changes.js';
import type { Documents } from './documents.js';
import { countsOf, factsOf, treeOf, valueOf } from './json_oracle.js';
import { answerOf, documentAt, type Reader } from './reader.js';

const corrupt = ['ERR_SNAPSHARD_CORRUPT'] as const;
const depthLimit = 128;

/** Makes a reader of bytes: that of the library, or one with a planted fault. */
export type MakeReader = (bytes: Uint8Array) => JsonReader;

/** Reads all of it in one way, and looks for what follows. */
function whole<Value>(reader: JsonReader, read: (reader: JsonReader) => Value): () => { value: Value } {
  return () => {
    const value = read(reader);
    reader.finish();
    return { value };
  };
}

async function checkReading(bytes: Uint8Array, make: MakeReader): Promise<void> {
  const tree = treeOf(bytes);
  const facts = tree === undefined ? undefined : factsOf(tree);
  const passable = facts !== undefined && !facts.loneSurrogate && facts.depth <= depthLimit;
  const read = await answerOf(whole(make(bytes), (reader) => reader.value()), corrupt);
  assert.equal(read !== undefined, passable && !facts.keyTwice);
  if (read !== undefined && tree !== undefined) assert.deepStrictEqual(read.value, valueOf(tree));
  const skipped = await answerOf(whole(make(bytes), (reader) => { reader.skip(); }), corrupt);
  assert.equal(skipped !== undefined, passable);
}

const counts = fc.tuple(
  fc.array(fc.constantFrom('0', '1', '65', '9007199254740991', '9007199254740992', '-0', '1.0', '1e2', '00', '"1"', '', 'null', '[1]')),
  fc.constantFrom(',', ' , ', '', ',,', ']'),
  fc.nat(5),
);

async function checkCounts(make: MakeReader, items: readonly string[], separator: string, lengthMax: number): Promise<void> {
  const bytes = Buffer.from(`[${items.join(separator)}]`);
  const read = await answerOf(whole(make(bytes), (reader) => reader.counts(lengthMax)), corrupt);
  assert.deepStrictEqual(read?.value, countsOf(treeOf(bytes), lengthMax));
}

export const jsonReaderOf = (make: MakeReader): Reader => ({
  name: 'json',
  runs: 4000,
  property: ({ headers, indexes, manifests, ranks }: Documents) => {
    const documents = [...headers, ...indexes, ...manifests, ...ranks];
    const bytes = fc.oneof(
      { weight: 8, arbitrary: changes.map((each) => changedText(documentAt(documents, each.document).value, each)) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) },
      { weight: 3, arbitrary: fc.tuple(fc.jsonValue(), changes).map(([value, each]) => changedText(value, each)) },
    );
    return fc.asyncProperty(bytes, counts, async (text, list) => {
      await checkReading(text, make);
      await checkCounts(make, ...list);
    });
  },
});

export const jsonReader = jsonReaderOf((bytes) => new JsonReader(bytes));
