/** Names of a root and of its directories, and the small records that ranks leave for each other. */
import assert from 'node:assert/strict';
import { basename, join, normalize } from 'node:path';
import fc from 'fast-check';
import * as names from '../../../lib/layout/names.js';
import { decodeFailure, encodeFailure } from '../../../lib/ranks/failure.js';
import { decodeRoster, encodeRoster } from '../../../lib/ranks/roster.js';
import { validateGroup, validateTensorName } from '../../../lib/tensor/name.js';
import { byteChange, changedBytes, changedText, changes } from './changes.js';
import { isSideName } from './manifest_oracle.js';
import { answerOf, type Reader } from './reader.js';

const nonce = fc.stringMatching(/^[0-9a-z]{1,8}$/);
const hex = fc.stringMatching(/^[0-9a-f]{1,8}$/);
const step = fc.oneof(fc.maxSafeNat(), fc.nat(5000));
const small = fc.nat(99_999);

/** More than a safe integer can be, in as many digits. */
const last = fc.constantFrom(2 ** 53 - 1, 2 ** 53, 2 ** 53 + 2);

/** Names as the library makes them, and some that it would if it counted so far. */
const made: fc.Arbitrary<string> = fc.oneof(
  fc.tuple(step, fc.integer({ min: 1, max: 2 ** 53 - 1 })).map(([at, generation]) => names.stepDirectoryName(at, generation)),
  fc.tuple(step, last).map(([at, generation]) => names.stepDirectoryName(at, generation)),
  last.map((at) => names.stepDirectoryName(at, 1)),
  fc.tuple(step, nonce).map(([at, own]) => names.partialDirectoryName(at, own)),
  fc.tuple(step, hex, fc.integer({ min: 1, max: 999 })).map(([at, own, attempt]) => names.partialDirectoryName(at, names.saveNonce(own, attempt))),
  nonce.map(names.deadDirectoryName),
  fc.tuple(hex, step, small, small).map(([own, at, attempt, rank]) => names.deadSaveName(own, { step: at, attempt }, rank)),
  small.map((rank) => basename(names.rankManifestName(rank))),
  fc.tuple(hex, nonce).map(([run, own]) => names.sessionDirectoryName(run, own)),
  fc.tuple(hex, nonce).map(([run, own]) => names.rosterName(run, own)),
  fc.tuple(small, small, nonce).map(([rank, worldSize, own]) => names.joinName({ rank, worldSize, nonce: own })),
  fc.tuple(step, small, small).map(([at, attempt, rank]) => names.failureName({ step: at, attempt }, rank)),
  fc.constantFrom('config.json', 'tokenizer.model', 'model-00001-of-00001.safetensors', 'Ranks', 'MANIFEST.json'),
);

/** What a name was taken for, written again. */
function takenFor(name: string): (string | undefined)[] {
  const directory = names.parseStepDirectory(name);
  const partial = names.parsePartialDirectory(name);
  const rank = names.parseRankManifestName(name);
  const entry = names.parseSessionEntry(name);
  const came = names.parseJoin(name);
  const { run = '', nonce: own = '', kind } = entry ?? {};
  return [
    directory && names.stepDirectoryName(directory.step, directory.generation),
    partial && names.partialDirectoryName(partial.step, partial.nonce),
    rank === undefined ? undefined : basename(names.rankManifestName(rank)),
    entry && (kind === 'roster' ? names.rosterName(run, own) : names.sessionDirectoryName(run, own)),
    came && names.joinName(came),
  ].filter((text) => text !== undefined);
}

async function checkName(name: string): Promise<void> {
  // No name stands for two things, and none for what another name says.
  const taken = takenFor(name);
  assert.deepStrictEqual(taken, taken.length === 0 ? [] : [name]);
  if (names.parseStepDirectory(name) !== undefined) assert(Number.isSafeInteger(names.parseStepDirectory(name)?.generation));
  if (names.isDeadDirectory(name)) assert.equal(taken.length, 0);
  const side = await answerOf(() => { names.validateSideFileName(name); return true; }, ['ERR_SNAPSHARD_INVALID_NAME']);
  assert.equal(side === true, isSideName(name));
  if (side === true) assert.equal(normalize(join('/runs', name)), `/runs/${name}`);
  const tensor = await answerOf(() => { validateTensorName(name); return true; }, ['ERR_SNAPSHARD_INVALID_NAME']);
  assert.equal(tensor === true, name.length > 0 && name !== '__metadata__' && name.isWellFormed() && !name.includes('\0'));
  const group = await answerOf(() => { validateGroup('a', name); return true; }, ['ERR_SNAPSHARD_INVALID_ARGUMENT']);
  if (group === true) assert.equal(basename(names.shardName(name, 1, 1)), names.shardName(name, 1, 1));
  for (const number of Object.values(names.parseFailureName(name) ?? {})) assert(number >= 0);
  const dead = names.parseDeadSave('ab', { step: 7, attempt: 1 }, name);
  if (dead !== undefined) assert.equal(names.deadSaveName('ab', { step: 7, attempt: 1 }, dead), name);
}

export const nameReader: Reader = {
  name: 'names',
  runs: 4000,
  property: () => {
    const changed = fc.tuple(made, fc.array(byteChange, { maxLength: 2 })).map(([name, each]) => changedBytes(Buffer.from(name), each).toString());
    return fc.asyncProperty(fc.oneof({ weight: 6, arbitrary: changed }, { weight: 1, arbitrary: fc.string({ unit: 'binary' }) }), checkName);
  },
};

const failure = { code: 'ERR_SNAPSHARD_NO_SPACE', message: 'the disk is full', ranks: [0, 3] } as const;
const records: readonly unknown[] = [failure, { failure }, { writers: ['a1', 'b2', 'c3'] }];

export const recordReader: Reader = {
  name: 'records',
  runs: 1500,
  property: () =>
    fc.asyncProperty(changes, async (each) => {
      const bytes = changedText(records[each.document % records.length], each);
      const told = decodeFailure(bytes, 3);
      assert.equal(JSON.stringify(decodeFailure(encodeFailure(told), 3)), JSON.stringify(told));
      assert(told.code.startsWith('ERR_SNAPSHARD_') && told.ranks.every(Number.isSafeInteger));
      const roster = await answerOf(() => decodeRoster(bytes, '/runs/.session-a.b.roster'), ['ERR_SNAPSHARD_CORRUPT'], '.roster');
      if (roster === undefined) return;
      assert.equal(JSON.stringify(decodeRoster(encodeRoster(roster), '')), JSON.stringify(roster));
    }),
};
