import fc from 'fast-check';
import { type Documents, makeDocuments } from './readers/documents.js';
import { checkpointReader } from './readers/checkpoint.js';
import { headerReader, indexReader } from './readers/foreign.js';
import { jsonReader } from './readers/json.js';
import { nameReader, recordReader } from './readers/names.js';
import { manifestReader, rankReader } from './readers/own.js';
import type { Reader } from './readers/reader.js';
import type { SoakClass } from './soak_class.js';

/** Of which no file is needed. */
export const pureReaders: readonly Reader[] = [
  ...[jsonReader, headerReader, indexReader, manifestReader, rankReader, nameReader, recordReader],
];

/** Fuzzes one reader; throws the smallest input that it finds something with. */
export async function fuzzReader(reader: Reader, documents: Documents, seed: number, runs = reader.runs): Promise<void> {
  try {
    await fc.assert(reader.property(documents), { seed: seed | 0, numRuns: runs, endOnFailure: false });
  } catch (error) {
    const { message, cause } = error as Error;
    const reason = cause instanceof Error ? cause.stack : String(cause);
    throw new Error(`the reader of ${reader.name}: ${message}\n${reason}`, { cause });
  }
}

export const soak: SoakClass = {
  name: 'readers',
  about: 'every reader of documents, given changed ones: what it takes is what an oracle takes, else a coded error',
  cases: { count: [...pureReaders].reduce((sum, { runs }) => sum + runs, checkpointReader.runs), called: 'executions' },
  whyNot: () => undefined,
  async trial(seed, folder) {
    const documents = await makeDocuments(seed | 0);
    for (const reader of pureReaders) await fuzzReader(reader, documents, seed);
    await fuzzReader(await checkpointReader.in(folder), documents, seed);
  },
};
