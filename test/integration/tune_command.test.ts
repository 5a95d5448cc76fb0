import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CheckpointWriter } from 'snapshard';
import { describe, expect, it } from 'vitest';
import { tuneSchema } from '../../lib/bench/result.js';
import { cliPath, snapshard } from '../support/cli.js';
import { MiB } from '../support/bytes.js';
import { namesIn, useRoot } from '../support/root.js';

const root = useRoot();
const small = ['--bytes', '8MiB', '--staging', '16MiB', '--rest', '0', '--repeat', '3'];

function target(): string {
  const path = join(root.path, 'target');
  mkdirSync(path, { recursive: true });
  return path;
}

describe('tune', () => {
  it('measures, tells, writes the options that a writer takes, and leaves nothing', async () => {
    const [out, json] = [join(root.path, 'options.json'), join(root.path, 'result.json')];
    const { code, stdout, stderr } = await snapshard('tune', target(), ...small, '--axes', 'threads', '--yes', '--out', out, '--json', json);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(namesIn(target())).toEqual([]);
    expect(stderr).toMatch(/^writes at most \d+ times 8\.00 MiB to .*target, .* MiB in all, .* takes about .* and what does not fit into 20 min/m);
    expect(stderr).toMatch(/^tune: save \d+ of at most \d+, .*threads \d$/m);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
    for (const title of ['Options to use', 'Findings', 'threads', 'defaults']) expect(stdout).toContain(title);

    const result = tuneSchema.parse(JSON.parse(readFileSync(json, 'utf8')));
    expect(new Set(result.points.map(({ axis }) => axis))).toEqual(new Set(['defaults', 'threads', ...confirmation(result)]));
    const most = Number(/at most (\d+) times/.exec(stderr)?.[1]);
    const rounds = new Set(result.points.flatMap(({ samples }) => samples.map(({ round }) => round)));
    expect(result.points.find(({ axis }) => axis === 'defaults')?.samples).toHaveLength(rounds.size);
    expect(result.points.filter(({ axis }) => axis !== 'defaults').flatMap(({ samples }) => samples).length).toBeLessThanOrEqual(most);
    for (const { samples } of result.points) {
      for (const { bytes, seconds, cpuSeconds } of samples) {
        expect(bytes).toBeGreaterThan(7 * MiB);
        expect(Math.min(seconds, cpuSeconds)).toBeGreaterThan(0);
      }
    }
    const written = JSON.parse(readFileSync(out, 'utf8')) as { format: string; writer: object; measured: { target: { path: string } } };
    expect(written).toMatchObject({ format: 'snapshard-options-1', writer: result.chosen, measured: { target: { path: target() } } });
    expect(result.chosen).toMatchObject({ stagingBytes: 16 * MiB });
    const writer = await CheckpointWriter.open(target(), { optionsFile: out });
    await writer.save({ step: 1, tensors: { a: new Uint8Array(10) } });
    await writer.close();
    const again = await snapshard('tune', target(), ...small, '--axes', 'engine', '--within', '10ms', '--yes', '--out', out, '--json', json);
    expect(again.code).toBe(0);
    const { findings, chosen } = tuneSchema.parse(JSON.parse(readFileSync(json, 'utf8')));
    expect(findings[0]).toMatch(/^Nothing was measured in the time allowed/);
    expect(chosen).toEqual({ stagingBytes: 16 * MiB });
    expect(namesIn(target())).toEqual(['step-0000000001']);
  });

  it('refuses at once, before anything is written, what it could not do in the end', async () => {
    const theirs = join(root.path, 'theirs.json');
    writeFileSync(theirs, '{"mine":true}');
    const cases: [words: string[], message: RegExp][] = [
      [[target(), '--yes', '--out', theirs], /ERR_SNAPSHARD_INVALID_ARGUMENT: .*theirs\.json is there, and is no options file/],
      [[target(), '--yes', '--json', join(root.path, 'none', 'x.json')], /ERR_SNAPSHARD_NOT_FOUND: .*cannot be written/],
      [[target(), '--yes', '--html', root.path], /ERR_SNAPSHARD_INVALID_ARGUMENT: .*is a folder/],
      [[join(root.path, 'none'), '--yes'], /ERR_SNAPSHARD_NOT_FOUND/],
      [[theirs, '--yes'], /ERR_SNAPSHARD_NOT_A_DIRECTORY/],
      [[target(), '--yes', '--tensors', '4', '--bytes', '100TiB'], /ERR_SNAPSHARD_NO_SPACE/],
      [[target()], /ERR_SNAPSHARD_INVALID_ARGUMENT: Nothing was written: there is no terminal to ask on\. Pass --yes\./],
      [[target(), '--axes', 'blokBytes'], /blokBytes/],
      [[target(), '--repeat', '2'], /whole number from 3/],
      [[target(), '--rest', 'x'], /Expected a time/],
      [[target(), '--yes', '--staging', '5MiB'], /two blocks/],
      [[target(), '--yes', '--model', '8B', '--fraction', '0.1', '--bytes', '1MiB'], /cannot be used with/],
      [[target(), '--like', join(root.path, 'none'), '--yes'], /ERR_SNAPSHARD_NOT_FOUND/],
      [[target(), '--like', 'a', '--tensors', '4'], /cannot be used with/],
    ];
    for (const [words, message] of cases) {
      const { code, stdout, stderr } = await snapshard('tune', ...words);
      expect({ code, stdout, last: stderr.trim().split('\n').at(-1) }, words.join(' ')).toEqual({
        code: 2,
        stdout: '',
        last: expect.stringMatching(message) as string,
      });
    }
    expect(readFileSync(theirs, 'utf8')).toBe('{"mine":true}');
    expect(namesIn(target())).toEqual([]);
  });

  it.each([['SIGINT', 130], ['SIGTERM', 143]] as const)('leaves nothing after %s', async (signal, code) => {
    const out = join(root.path, 'options.json');
    const words = ['tune', target(), '--bytes', '64MiB', '--staging', '16MiB', '--rest', '0', '--yes', '--out', out];
    const child = spawn(process.execPath, [cliPath, ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
    const ended = new Promise((resolve) => child.on('close', resolve));
    while (!stderr.includes('tune: save 1 of')) await sleep(20);
    expect(namesIn(target())).toHaveLength(1);
    child.kill(signal);
    expect(await ended).toBe(code);
    expect(stderr.trim().split('\n').at(-1)).toMatch(/^Interrupted/);
    expect(namesIn(target())).toEqual([]);
    expect(existsSync(out)).toBe(false);
  });
});

type Result = ReturnType<typeof tuneSchema.parse>;

function confirmation({ points }: Result): string[] {
  return points.some(({ axis }) => axis === 'confirmation') ? ['confirmation'] : [];
}
