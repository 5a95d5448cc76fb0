import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  deadDirectoryName,
  deadSaveName,
  failureName,
  indexName,
  isDeadDirectory,
  joinName,
  parseDeadSave,
  parseFailureName,
  parseJoin,
  parsePartialDirectory,
  parseRankManifestName,
  parseSessionEntry,
  parseSessionPartial,
  parseStepDirectory,
  partialDirectoryName,
  rankDigestsName,
  rankManifestName,
  rosterName,
  saveNonce,
  sessionDirectoryName,
  shardName,
  slicedShardName,
  stepDirectoryName,
  unfinishedRankManifestName,
  validateSideFileName,
} from '../../lib/layout/names.js';

describe('names', () => {
  it('are those of the format', () => {
    expect(stepDirectoryName(1000, 1)).toBe('step-0000001000');
    expect(stepDirectoryName(1000, 2)).toBe('step-0000001000.g2');
    expect(partialDirectoryName(2000, 'a1b2')).toBe('.step-0000002000.a1b2.partial');
    expect(deadDirectoryName('a1b2')).toBe('.dead-a1b2');
    expect(rankManifestName(0)).toBe('ranks/00000.json');
    expect(rankDigestsName(16_383)).toBe('ranks/16383.digests');
    expect(shardName('model', 1, 2)).toBe('model-00001-of-00002.safetensors');
    expect(slicedShardName(0, 'model', 1, 1)).toBe('shard-00001-model-00001-of-00001.safetensors');
    expect(indexName('model')).toBe('model.safetensors.index.json');
  });

  it('of directories come back as what they were made of', () => {
    fc.assert(
      fc.property(
        fc.maxSafeNat(),
        fc.integer({ min: 1, max: 10 ** 6 }),
        fc.stringMatching(/^[0-9a-z]+$/),
        (step, generation, nonce) => {
          expect(parseStepDirectory(stepDirectoryName(step, generation))).toEqual({ step, generation });
          expect(parsePartialDirectory(partialDirectoryName(step, nonce))).toEqual({ step, nonce });
          expect(isDeadDirectory(deadDirectoryName(nonce))).toBe(true);
        },
      ),
    );
  });

  it.each([
    'step-1',
    'step-000000100',
    'step-00000001000',
    'step-0000001000.g1',
    'step-0000001000.g02',
    'step-0000001000.g0',
    'step-0000001000.g',
    'step-0000001000.partial',
    'step-9007199254740992',
    'step-0000001000.g9007199254740992',
    'step-0000001000 ',
    'step-0000001000\n',
    'Step-0000001000',
    '.step-0000001000.x.partial',
    '',
  ])('%j is no step', (name) => {
    expect(parseStepDirectory(name)).toBeUndefined();
  });

  it.each([
    '.step-0000001000..partial',
    '.step-1.x.partial',
    '.step-0000001000.X.partial',
    'step-0000001000',
    '.dead-x',
  ])('%j is not partial', (name) => {
    expect(parsePartialDirectory(name)).toBeUndefined();
  });

  it.each(['.dead-', '.dead-X', 'dead-x', '.dead-x/y', '.dead-x\n'])('%j is not dead', (name) => {
    expect(isDeadDirectory(name)).toBe(false);
  });
});

describe('names of side files', () => {
  const codeOf = (name: unknown) => {
    try {
      validateSideFileName(name);
    } catch (error) {
      return (error as { code: string }).code;
    }
    return 'none';
  };

  it.each([
    'config.json',
    'tokenizer.model',
    'rng-state.bin',
    'ä 😀',
    'a..b',
    'safetensors',
    'ranks.json',
    'x'.repeat(255),
  ])('%j is taken', (name) => {
    expect(codeOf(name)).toBe('none');
  });

  it.each([
    ...['', '.', '..', '../a', '/etc/passwd', 'a/b', 'a\\b', 'a\0b', 'a\nb', '.hidden', 'a\ud800', 'x'.repeat(256)],
    ...['manifest.json', 'Manifest.JSON', 'ranks', 'RANKS', 'model.safetensors', 'a.SafeTensors', '😀'.repeat(64)],
    ...['model.safetensors.index.json', 'other.safetensors.index.json', 7, null, undefined],
  ])('%j is refused', (name) => {
    expect(codeOf(name)).toBe('ERR_SNAPSHARD_INVALID_NAME');
  });
});

describe('names that the ranks of a run leave', () => {
  const session = '01a1fc4df5887cdefb5e3154c924';
  const key = { step: 2000, attempt: 3 };

  it('are those of the format', () => {
    expect(sessionDirectoryName('00ff', session)).toBe(`.session-00ff.${session}`);
    expect(rosterName('00ff', session)).toBe(`.session-00ff.${session}.roster`);
    expect(joinName({ rank: 3, worldSize: 8, nonce: 'abc' })).toBe('00003-of-00008.abc');
    expect(partialDirectoryName(2000, saveNonce(session, 3))).toBe(`.step-0000002000.${session}x3.partial`);
    expect(deadSaveName(session, key, 12)).toBe(`.dead-${session}s2000x3r12`);
    expect(failureName(key, 12)).toBe('2000.3.12.failed');
    expect(unfinishedRankManifestName(3)).toBe('ranks/00003.json.tmp');
  });

  it('are read back', () => {
    expect(parseSessionEntry(sessionDirectoryName('00ff', session))).toEqual({ run: '00ff', nonce: session, kind: 'directory' });
    expect(parseSessionEntry(rosterName('00ff', session))).toEqual({ run: '00ff', nonce: session, kind: 'roster' });
    expect(parseJoin('00003-of-00008.abc')).toEqual({ rank: 3, worldSize: 8, nonce: 'abc' });
    expect(parseSessionPartial(partialDirectoryName(2000, saveNonce(session, 3)))).toEqual({ session, ...key });
    expect(parseFailureName(failureName(key, 12))).toEqual({ ...key, rank: 12 });
    expect(parseRankManifestName('00003.json')).toBe(3);
    expect(isDeadDirectory(deadSaveName(session, key, 12))).toBe(true);
    expect([0, 1, 12, 99_998].map((rank) => parseDeadSave(session, key, deadSaveName(session, key, rank)))).toEqual([
      0, 1, 12, 99_998,
    ]);
  });

  it('are told from others', () => {
    expect(parseSessionEntry('.session-00ff')).toBeUndefined();
    expect(parseSessionEntry(`.session-00ff.${session}.roster.tmp`)).toBeUndefined();
    expect(parseJoin('3-of-8.abc')).toBeUndefined();
    expect(parseSessionPartial(partialDirectoryName(2000, session))).toBeUndefined();
    expect(parseFailureName('2000.3.failed')).toBeUndefined();
    expect(parseRankManifestName('00003.json.tmp')).toBeUndefined();
    const other = { step: 200, attempt: 3 };
    expect(parseDeadSave(session, other, deadSaveName(session, key, 1))).toBeUndefined();
    expect(parseDeadSave(session, { step: 2000, attempt: 1 }, deadSaveName(session, { step: 2000, attempt: 12 }, 1))).toBe(undefined);
    expect(parseDeadSave(session, key, `${deadSaveName(session, key, 1)}x`)).toBeUndefined();
  });
});
