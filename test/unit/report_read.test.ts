import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readResult } from '../../lib/bench/report/index.js';
import { makeBench } from '../support/bench_fixture.js';
import { makeTune } from '../support/tune_fixture.js';

const folder = mkdtempSync(join(tmpdir(), 'snapshard-report-'));

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function fileOf(text: string): string {
  const path = join(folder, 'result.json');
  writeFileSync(path, text);
  return path;
}

const failure = async (text: string): Promise<{ code?: string; message?: string }> =>
  readResult(fileOf(text)).then(
    () => ({}),
    (error: unknown) => error as { code: string; message: string },
  );

describe('reading a result', () => {
  it('gives back what was written', async () => {
    const [bench, tune] = [makeBench({ rounds: 2 }), makeTune()];
    expect(await readResult(fileOf(JSON.stringify(bench)))).toEqual(bench);
    expect(await readResult(fileOf(JSON.stringify(tune)))).toEqual(tune);
  });

  it('ignores what it does not know', async () => {
    const bench = makeBench({ rounds: 1 });
    expect(await readResult(fileOf(JSON.stringify({ ...bench, later: 1 })))).toEqual(bench);
  });

  it.each(['', '{', 'not JSON', '[]', 'null', '3', '{}', '{"format":7}', '{"format":"fio"}'])(
    'refuses %j: no such result',
    async (text) => {
      const error = await failure(text);
      expect(error.code).toBe('ERR_SNAPSHARD_CORRUPT');
      expect(error.message).toMatch(
        /result\.json is no result of snapshard bench or tune: .*Give a file that --json wrote/,
      );
    },
  );

  it('says where a damaged one is damaged', async () => {
    const bench = makeBench({ rounds: 2 });
    bench.rows[2]!.samples[1]!.seconds = -1;
    const error = await failure(JSON.stringify(bench));
    expect(error.code).toBe('ERR_SNAPSHARD_CORRUPT');
    expect(error.message).toContain('rows.2.samples.1.seconds');
  });

  it.each(['snapshard-bench-2', 'snapshard-tune-10'])('says of %s that it is newer', async (format) => {
    const error = await failure(JSON.stringify({ ...makeBench({ rounds: 1 }), format }));
    expect(error).toMatchObject({
      code: 'ERR_SNAPSHARD_UNSUPPORTED_VERSION',
      message: expect.stringContaining(format) as string,
    });
  });

  it('says that there is no such file, or that it is none', async () => {
    await expect(readResult(join(folder, 'absent.json'))).rejects.toMatchObject({
      code: 'ERR_SNAPSHARD_NOT_FOUND',
      errno: 'ENOENT',
    });
    await expect(readResult(folder)).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_IO', errno: 'EISDIR' });
  });
});
