import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openCheckpoint, type Tensor } from 'snapshard';
import { describe, expect, it } from 'vitest';
import { MiB } from '../support/bytes.js';
import { cliPath, cut, flipBit, plainTensor, saveAsRanks, saveSolo, snapshard, snapshardJson } from '../support/cli.js';
import { readTensors, shardsOf } from '../support/read_back.js';
import { namesIn, useRoot } from '../support/root.js';

const root = useRoot();

interface Difference {
  differs: boolean;
  metadata: { key: string; before?: string; after?: string }[];
  added: { name: string }[];
  removed: { name: string }[];
  changed: { name: string; what: string[] }[];
  equal: number;
  byDigest: number;
  byContent: number;
  sideFiles: { added: string[]; removed: string[]; changed: string[] };
}

function makeDirectory(name: string): string {
  const path = join(root.path, name);
  mkdirSync(path);
  return path;
}

describe('diff', () => {
  const same = plainTensor('F32', [40, 10]);
  const before = { same, trained: plainTensor('F32', [8]), cast: plainTensor('F32', [6]), gone: plainTensor('U8', [1]) };
  const after = { same, trained: plainTensor('F32', [8]), cast: plainTensor('BF16', [12]), born: plainTensor('U8', [2]) };

  it('is silent and 0 where nothing but the step differs', async () => {
    const a = await saveSolo(root.path, { step: 1, tensors: before, metadata: { epoch: 1 } });
    const b = await saveSolo(root.path, { step: 2, tensors: before, metadata: { epoch: 1 } });
    const { code, stdout } = await snapshard('diff', a, b);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^4 tensors: 0 changed, 0 added, 0 removed, 4 equal \(compared by digest: 4, by content: 0\)$/m);
    const { code: jsonCode, value } = await snapshardJson<Difference>('diff', a, b);
    expect(jsonCode).toBe(0);
    expect(value).toMatchObject({ differs: false, equal: 4, byDigest: 4, changed: [] });
  });

  it('tells what was added, removed and changed', async () => {
    const a = await saveSolo(root.path, { step: 1, tensors: before, metadata: { epoch: 1, old: true }, files: { x: '1', y: '2' } });
    const b = await saveSolo(root.path, { step: 2, tensors: after, metadata: { epoch: 2, lr: 0.1 }, files: { x: '3', z: '2' } });
    const { code, value } = await snapshardJson<Difference>('diff', a, b);
    expect(code).toBe(1);
    expect(value.metadata).toEqual([
      { key: 'epoch', before: '1', after: '2' },
      { key: 'old', before: 'true' },
      { key: 'lr', after: '0.1' },
    ]);
    expect(value.added.map(({ name }) => name)).toEqual(['born']);
    expect(value.removed.map(({ name }) => name)).toEqual(['gone']);
    expect(value.changed.map(({ name, what }) => [name, what]).sort()).toEqual([
      ['cast', ['dtype', 'shape']],
      ['trained', ['content']],
    ]);
    expect(value.sideFiles).toEqual({ added: ['z'], removed: ['y'], changed: ['x'] });

    const { code: textCode, stdout } = await snapshard('diff', a, b);
    expect(textCode).toBe(1);
    expect(stdout).toContain('  ~ epoch: 1 -> 2\n');
    expect(stdout).toMatch(/^~ 2 tensors changed\n.*\n {2}cast +BF16 +\[12\] +24 B +was F32, was \[6\]$/m);
    expect(stdout).toMatch(/^\+ 1 tensor added\n.*\n {2}born /m);
    expect(stdout).toMatch(/^- 1 tensor removed\n.*\n {2}gone /m);
    expect(stdout).toMatch(/^5 tensors: 2 changed, 1 added, 1 removed, 1 equal/m);
  });

  it('compares only tensors where some are selected', async () => {
    const a = await saveSolo(root.path, { step: 1, tensors: before, metadata: { epoch: 1 } });
    const b = await saveSolo(root.path, { step: 2, tensors: after, metadata: { epoch: 2 } });
    expect((await snapshard('diff', a, b, '-f', 'same')).code).toBe(0);
    expect((await snapshard('diff', a, b, '-f', 'trained')).code).toBe(1);
    expect((await snapshardJson<Difference>('diff', a, b, '-f', 'born')).value.added).toHaveLength(1);
    expect((await snapshard('diff', a, b, '-f', 'nobody')).code).toBe(2);
  });

  it('compares contents where tensors are cut differently: small ones, and larger than a batch', async () => {
    const large = plainTensor('F32', [5000, 1001]);
    const small = plainTensor('F32', [30, 7]);
    const solo = await saveSolo(makeDirectory('solo'), { step: 1, tensors: { large, small } });
    const tensorsOf = (rank: number): Record<string, Tensor> => ({
      large: cut(large, 0, rank, 3),
      small: cut(small, 1, rank, 3),
    });
    const ranks = await saveAsRanks(makeDirectory('ranks'), 3, 1, tensorsOf);
    const equal = await snapshardJson<Difference>('diff', solo, ranks);
    expect(equal).toMatchObject({ code: 0, value: { equal: 2, byDigest: 0, byContent: 2 } });

    large.data[large.data.length - 1]! ^= 1;
    const other = await saveSolo(makeDirectory('other'), { step: 1, tensors: { large, small } });
    const { code, value } = await snapshardJson<Difference>('diff', ranks, other);
    expect(code).toBe(1);
    expect(value.changed.map(({ name, what }) => [name, what])).toEqual([['large', ['content']]]);
  });

  it('finds a checkpoint and its export equal, but for metadata of the user', async () => {
    const files = { 'config.json': '{}' };
    const plain = await saveSolo(root.path, { step: 1, tensors: before, files });
    const out = join(root.path, 'out');
    expect((await snapshard('export', plain, out)).code).toBe(0);
    expect(await snapshardJson<Difference>('diff', plain, out)).toMatchObject({ code: 0, value: { metadata: [] } });
    const noted = await saveSolo(root.path, { step: 2, tensors: before, files, metadata: { epoch: 1, format: 'pt' } });
    const { code, value } = await snapshardJson<Difference>('diff', noted, out);
    expect({ code, ...value }).toMatchObject({ code: 1, metadata: [{ key: 'epoch', before: '1' }] });
  });

  it('compares contents with what others wrote', async () => {
    const path = await saveSolo(root.path, { step: 1, tensors: before });
    const shard = join(path, shardsOf(path)[0]!);
    const foreign = join(root.path, 'foreign.safetensors');
    cpSync(shard, foreign);
    expect(await snapshardJson<Difference>('diff', shard, foreign)).toMatchObject({ code: 0, value: { byContent: 4 } });
    flipBit(foreign, 4096);
    expect(await snapshardJson<Difference>('diff', path, foreign, '-f', '*')).toMatchObject({
      code: 1,
      value: { changed: [{ what: ['content'] }], equal: 3 },
    });
  });
});

describe('export', () => {
  it('makes one Hugging Face folder of the parts of several ranks', async () => {
    const tensors = {
      rows: plainTensor('F32', [70, 33]),
      columns: plainTensor('BF16', [21, 64]),
      moments: plainTensor('F64', [70, 3], 'optimizer'),
      norm: plainTensor('F32', [9]),
      steps: plainTensor('I64', []),
      done: plainTensor('BOOL', [3]),
    };
    const tensorsOf = (rank: number) => ({
      rows: cut(tensors.rows, 0, rank, 4),
      columns: cut(tensors.columns, 1, rank, 4),
      moments: cut(tensors.moments, 0, rank, 4),
      norm: { ...tensors.norm, replicas: 'all' as const },
      ...(rank === 2 && { steps: tensors.steps, done: tensors.done }),
    });
    const path = await saveAsRanks(root.path, 4, 8, tensorsOf, { files: { 'config.json': '{"a":1}' } });
    const out = join(root.path, 'out');
    const { code, stdout, stderr } = await snapshard('export', path, out);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^.*out: 6 tensors, .* in 2 files \(.*\/s, verified while reading\)\n$/);
    expect(namesIn(out)).toEqual([
      'config.json',
      'model-00001-of-00001.safetensors',
      'model.safetensors.index.json',
      'optimizer-00001-of-00001.safetensors',
    ]);
    const read = readTensors(out);
    expect(read.size).toBe(6);
    for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
      expect(read.get(name)).toEqual({ dtype, shape, bytes: Buffer.from(data) });
    }
    expect(readFileSync(join(out, 'config.json'), 'utf8')).toBe('{"a":1}');
    expect((await snapshard('diff', path, out, '--group', 'model')).code).toBe(0);
    expect(namesIn(root.path)).toEqual(['out', 'step-0000000008']);
  });

  it('keeps files below a size, selects, and streams what is larger than a batch', async () => {
    const tensors = {
      big: plainTensor('F32', [9 * MiB]),
      wide: plainTensor('F32', [500, 9000]),
      ...Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`s.${index}`, plainTensor('U8', [3000 + index])])),
      state: plainTensor('F32', [10], 'optimizer'),
    };
    const tensorsOf = (rank: number) =>
      Object.entries(tensors).map(([name, tensor]): [string, Tensor] =>
        name === 'wide' ? [name, cut(tensor, 1, rank, 2)] : [name, tensor],
      );
    const path = await saveAsRanks(root.path, 2, 8, (rank) =>
      tensorsOf(rank).filter(([name]) => name === 'wide' || rank === 1),
    );
    const out = join(root.path, 'out');
    const { code, value } = await snapshardJson<{ files: { name: string; tensors: number; bytes: number }[]; verified: boolean }>(
      ...['export', path, out, '--group', 'model', '--max-shard-size', '20MB'],
    );
    expect(code).toBe(0);
    expect(value.verified).toBe(true);
    expect(value.files.map(({ name }) => name)).toEqual(shardsOf(out));
    expect(value.files.length).toBeGreaterThanOrEqual(2);
    const { state, ...rest } = tensors;
    expect(state.group).toBe('optimizer');
    const read = readTensors(out);
    expect([...read.keys()].sort()).toEqual(Object.keys(rest).sort());
    for (const [name, { data }] of Object.entries(rest)) {
      expect(Buffer.compare(read.get(name)!.bytes, data), name).toBe(0);
    }
    const index = JSON.parse(readFileSync(join(out, 'model.safetensors.index.json'), 'utf8')) as { weight_map: Record<string, string> };
    expect(Object.keys(index.weight_map).sort()).toEqual(Object.keys(rest).sort());

    const few = join(root.path, 'few');
    expect((await snapshard('export', path, few, '-f', 's.1?')).code).toBe(0);
    expect([...readTensors(few).keys()].sort()).toEqual(Array.from({ length: 10 }, (_, index) => `s.1${index}`));
  });

  it('refuses a folder that exists, and leaves it as it was', async () => {
    const path = await saveSolo(root.path, { step: 1, tensors: { a: plainTensor('U8', [5]) } });
    const out = makeDirectory('out');
    const { code, stderr } = await snapshard('export', path, out);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^ERR_SNAPSHARD_INVALID_ARGUMENT: .*out exists already/);
    expect(namesIn(out)).toEqual([]);
  });

  it('ends where the data is damaged, and leaves nothing', async () => {
    const path = await saveSolo(root.path, { step: 1, tensors: { a: plainTensor('U8', [5 * MiB]), b: plainTensor('U8', [40 * MiB]) } });
    flipBit(join(path, shardsOf(path)[0]!), 4096 + 30 * MiB);
    const { code, stdout, stderr } = await snapshard('export', path, join(root.path, 'out'));
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^ERR_SNAPSHARD_CORRUPT: .*"b".*\n$/);
    expect(namesIn(root.path)).toEqual(['step-0000000001']);
  });

  it('leaves nothing when it is interrupted', async () => {
    const path = await saveSolo(root.path, { step: 1, tensors: { a: plainTensor('U8', [192 * MiB]) } });
    const child = spawn(process.execPath, [cliPath, 'export', path, join(root.path, 'out')], { stdio: 'ignore' });
    const closed = once(child, 'close');
    while (child.exitCode === null && !namesIn(root.path).some((name) => name.startsWith('.out.'))) await sleep(1);
    child.kill('SIGINT');
    expect(await closed).toEqual([130, null]);
    expect(namesIn(root.path)).toEqual(['step-0000000001']);
  });

  it('says of what others wrote that it was not verified', async () => {
    const path = await saveSolo(root.path, { step: 1, tensors: { a: plainTensor('U8', [5]) } });
    const { code, stdout } = await snapshard('export', join(path, shardsOf(path)[0]!), join(root.path, 'out'));
    expect(code).toBe(0);
    expect(stdout).toContain('not verified');
    expect(readTensors(join(root.path, 'out'))).toEqual(readTensors(path));
  });
});

describe('export of what others wrote', () => {
  it('takes over what is small, and names what it leaves', async () => {
    const path = await saveSolo(root.path, { step: 1, tensors: { a: plainTensor('U8', [5]) } });
    const folder = makeDirectory('models--x');
    mkdirSync(join(folder, 'blobs'));
    writeFileSync(join(folder, 'blobs', 'c0ffee'), '{"a":1}');
    const source = join(folder, 'snapshots', 'main');
    mkdirSync(join(source, 'original'), { recursive: true });
    cpSync(join(path, shardsOf(path)[0]!), join(source, 'model.safetensors'));
    symlinkSync('../../blobs/c0ffee', join(source, 'config.json'));
    symlinkSync(path, join(source, 'elsewhere'));
    writeFileSync(join(source, 'vocab.txt'), 'a b');
    const out = join(root.path, 'out');
    const { code, stderr } = await snapshard('export', source, out);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^not exported, .*: elsewhere, original\n$/);
    const [shard] = shardsOf(out);
    expect(namesIn(out)).toEqual(['config.json', shard, 'model.safetensors.index.json', 'vocab.txt']);
    expect(lstatSync(join(out, 'config.json')).isFile()).toBe(true);
    expect(readFileSync(join(out, 'config.json'), 'utf8')).toBe('{"a":1}');
    expect((await snapshard('diff', source, out)).code).toBe(0);
    expect((await snapshard('verify', source)).stdout).toContain('in 3 files');
    writeFileSync(join(source, 'vocab.txt'), 'a c');
    expect((await snapshardJson<Difference>('diff', source, out)).value.sideFiles.changed).toEqual(['vocab.txt']);
  });
});

describe('rm', () => {
  const tensors = { a: plainTensor('U8', [5]) };

  it('removes steps with all their generations, and says so', async () => {
    for (const step of [1, 2, 3]) await saveSolo(root.path, { step, tensors });
    const { code, stdout, stderr } = await snapshard('rm', root.path, '1', '3', '--yes');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^removed 2 steps, \d+\.\d\d KiB\n$/);
    expect(stderr).toMatch(/^removes .*step-0000000001 \(.*\nremoves .*step-0000000003 \(.*\n$/);
    expect(namesIn(root.path)).toEqual(['step-0000000002']);
    const { value } = await snapshardJson<{ removed: number[] }>('rm', root.path, '2', '-y');
    expect(value.removed).toEqual([2]);
    expect(namesIn(root.path)).toEqual([]);
  });

  it('counts what others have replaced, too', async () => {
    const path = await saveSolo(root.path, { step: 1, tensors });
    cpSync(path, `${path}.g2`, { recursive: true });
    const { value } = await snapshardJson<{ checkpoints: { bytes: number }[] }>('ls', root.path);
    expect(value.checkpoints).toHaveLength(1);
    const { stdout, stderr } = await snapshard('rm', root.path, '1', '--yes', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ removed: [1], bytes: 2 * value.checkpoints[0]!.bytes });
    expect(stderr).toMatch(/^removes .*step-0000000001 \(.*, replaced\)\nremoves .*step-0000000001\.g2 \(.*\d\)\n$/);
    expect(namesIn(root.path)).toEqual([]);
  });

  it('removes none where one is not there', async () => {
    await saveSolo(root.path, { step: 1, tensors });
    const { code, stderr } = await snapshard('rm', root.path, '1', '5', '--yes');
    expect(code).toBe(2);
    expect(stderr).toMatch(/^ERR_SNAPSHARD_NOT_FOUND: .*step 5.*\n$/);
    expect(namesIn(root.path)).toEqual(['step-0000000001']);
  });

  it('asks before, and without a terminal does nothing', async () => {
    const path = await saveSolo(root.path, { step: 1, tensors });
    const { code, stderr } = await snapshard('rm', root.path, '1');
    expect(code).toBe(2);
    expect(stderr).toMatch(/removes .*\nERR_SNAPSHARD_INVALID_ARGUMENT: .*--yes/);
    expect(existsSync(path)).toBe(true);
  });

  it('removes damaged ones, too', async () => {
    const path = await saveSolo(root.path, { step: 1, tensors });
    writeFileSync(join(path, 'manifest.json'), '{}');
    await expect(openCheckpoint(path)).rejects.toThrow();
    const { code, stderr } = await snapshard('rm', root.path, '1', '--yes');
    expect(code).toBe(0);
    expect(stderr).toContain('damaged)');
    expect(namesIn(root.path)).toEqual([]);
  });
});
