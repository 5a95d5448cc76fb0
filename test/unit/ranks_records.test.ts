import { describe, expect, it } from 'vitest';
import { SnapshardError } from '../../lib/errors.js';
import { ranksText } from '../../lib/layout/ranks_text.js';
import { decodeFailure, describeFailure, encodeFailure, joinFailures, toError } from '../../lib/ranks/failure.js';
import { decodeRoster, encodeRoster } from '../../lib/ranks/roster.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('what a rank tells the others', () => {
  it('is that it failed, and with which message', () => {
    const reason = new SnapshardError('ERR_SNAPSHARD_NO_SPACE', 'Cannot write: ENOSPC.');
    expect(describeFailure(3, reason)).toEqual({
      code: 'ERR_SNAPSHARD_RANK_FAILED',
      message: 'Rank 3 gave the save up: Cannot write: ENOSPC.',
      ranks: [3],
    });
    expect(describeFailure(1, 'stopped by hand').message).toContain('stopped by hand');
  });

  it('is the error itself where that concerns all', () => {
    const exists = new SnapshardError('ERR_SNAPSHARD_STEP_EXISTS', 'Step 7 is published already.');
    expect(describeFailure(0, exists)).toMatchObject({ code: exists.code, message: exists.message });
    const gap = new SnapshardError('ERR_SNAPSHARD_INCOMPLETE_TENSOR', 'A gap.', { ranks: [1, 2] });
    expect(describeFailure(0, gap)).toEqual({ code: gap.code, message: 'A gap.', ranks: [1, 2] });
  });

  it('comes back as it was', () => {
    const failure = describeFailure(3, new Error('no "luck"\n'));
    expect(decodeFailure(encodeFailure(failure), 3)).toEqual(failure);
    expect(toError(failure)).toMatchObject({ code: failure.code, message: failure.message, ranks: [3] });
  });

  it.each(['', '{', 'null', '[]', '{"code":"x","message":"y","ranks":[1]}', '{"code":"ERR_SNAPSHARD_IO","message":1}'])(
    'names the rank even where it could not write it down: %j',
    (text) => {
      expect(decodeFailure(bytes(text), 5)).toMatchObject({ code: 'ERR_SNAPSHARD_RANK_FAILED', ranks: [5] });
    },
  );

  it('names all ranks that failed', () => {
    const failures = [4, 2].map((rank) => describeFailure(rank, new Error(`reason ${rank}`)));
    expect(joinFailures(failures)).toMatchObject({ ranks: [2, 4] });
    expect(joinFailures(failures).message).toMatch(/^Ranks 2, 4 gave the save up\. .*reason 4/);
    expect(joinFailures(failures.slice(0, 1))).toEqual(failures[0]);
  });
});

describe('a roster', () => {
  it('comes back as it was', () => {
    expect(decodeRoster(encodeRoster({ writers: ['a', 'b'] }), '/roster')).toEqual({ writers: ['a', 'b'] });
    const failure = describeFailure(0, new Error('late'));
    expect(decodeRoster(encodeRoster({ failure }), '/roster')).toEqual({ failure });
  });

  it.each(['', 'null', '3', '{"writers":3}', '{"writers":[{"toString":1}]}', '{"writers":["a",1]}'])('that no rank 0 wrote is named: %j', (text) => {
    expect(() => decodeRoster(bytes(text), '/runs/.session')).toThrow('/runs/.session is no roster');
  });
});

it.each([
  [[3], 'rank 3'],
  [[5, 1, 2, 0], 'ranks 0 to 2, 5'],
  [[1, 0], 'ranks 0, 1'],
  [Array.from({ length: 20 }, (_, index) => index * 2), 'ranks 0, 2, 4, 6, 8, 10, 12, 14 and others (20 in all)'],
])('ranks %j are called %j', (ranks, text) => {
  expect(ranksText(ranks)).toBe(text);
});
