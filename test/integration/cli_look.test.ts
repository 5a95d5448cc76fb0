import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cut, flipBit, plainTensor, saveAsRanks, saveSolo, snapshard, snapshardJson } from '../support/cli.js';
import { useRoot } from '../support/root.js';

const root = useRoot();

const commands = ['ls', 'inspect', 'verify', 'diff', 'export', 'rm'];

function widest(text: string): number {
  return Math.max(...text.split('\n').map((line) => line.length));
}

/** Two layers with an optimizer, 12 tensors. */
function layers(): Map<string, ReturnType<typeof plainTensor>> {
  const names = [0, 1].flatMap((layer) => [`layers.${layer}.wq.weight`, `layers.${layer}.wk.weight`]);
  const tensors = new Map(names.map((name) => [name, plainTensor('F32', [64, 32])]));
  for (const name of names) tensors.set(`${name}.exp_avg`, plainTensor('F32', [64, 32], 'optimizer'));
  for (const layer of [0, 1]) tensors.set(`layers.${layer}.norm.weight`, plainTensor('BF16', [100]));
  tensors.set('steps', plainTensor('I64', []));
  return tensors.set('done', plainTensor('BOOL', [3]));
}

describe('help', () => {
  it('lists the commands and the exit codes', async () => {
    const { code, stdout } = await snapshard('--help');
    expect(code).toBe(0);
    for (const command of commands) expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
    expect(stdout).toContain('damage was found, or the checkpoints differ');
    expect(widest(stdout)).toBeLessThanOrEqual(100);
  });

  it.each(commands)('tells of %s, with examples', async (command) => {
    const { code, stdout } = await snapshard('help', command);
    expect(code).toBe(0);
    expect(stdout).toContain(`\nExamples:\n  snapshard ${command} `);
    expect(stdout).toContain('--json');
    expect(widest(stdout)).toBeLessThanOrEqual(100);
  });

  it('prints the version of the package', async () => {
    const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
    const { version } = JSON.parse(manifest) as { version: string };
    expect(await snapshard('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });
});

describe('wrong calls', () => {
  it.each([
    [['lss', 'x'], "unknown command 'lss' (Did you mean ls?)"],
    [['ls'], "missing required argument 'root'"],
    [['ls', 'x', '--jsom'], "unknown option '--jsom'"],
    [['inspect', 'x', '--depth', '0'], 'Expected a positive integer'],
    [['export', 'x', 'y', '--max-shard-size', 'big'], 'Expected a size, such as 5GB'],
    [['rm', 'x', 'latest'], 'Expected a step, such as 1000'],
    [['inspect', 'x', '--list', '--tree'], "option '--list' cannot be used with option '--tree'"],
    [['verify', 'x', 'y'], 'too many arguments'],
  ])('%j', async (words, message) => {
    const { code, stdout, stderr } = await snapshard(...words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^ERR_SNAPSHARD_INVALID_ARGUMENT: .*\n$/);
    expect(stderr).toContain(message);
  });

  it('prints help where no command is given', async () => {
    const { code, stderr } = await snapshard();
    expect(code).toBe(2);
    expect(stderr).toContain('Usage: snapshard');
  });

  it.each([
    ['ls', 'gone'],
    ['inspect', 'gone'],
    ['verify', 'gone'],
    ['diff', 'gone', 'gone'],
    ['export', 'gone', 'out'],
    ['rm', 'gone', '1', '--yes'],
  ])('%s of what is not there is one line on standard error', async (command, ...rest) => {
    const words = rest.map((word) => (/^\d|^-/.test(word) ? word : join(root.path, word)));
    const { code, stdout, stderr } = await snapshard(command, ...words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^ERR_SNAPSHARD_NOT_FOUND: .*gone.*\n$/);
    expect(existsSync(join(root.path, 'out'))).toBe(false);
  });
});

interface Listing {
  checkpoints: { name: string; step: number; bytes: number; tensors?: number; worldSize?: number; damaged?: string }[];
}

describe('ls', () => {
  it('lists steps, newest last', async () => {
    await saveSolo(root.path, { step: 1000, tensors: layers() });
    const whole = plainTensor('F32', [7, 5]);
    await saveAsRanks(root.path, 3, 20, (rank) => ({ w: cut(whole, 0, rank, 3) }));
    const { code, stdout } = await snapshard('ls', root.path);
    expect(code).toBe(0);
    const [head, first, second] = stdout.split('\n');
    expect(head).toMatch(/^step +time \(UTC\) +size +tensors +ranks +path$/);
    expect(first).toMatch(/^ +20 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +\d+\.\d\d KiB +1 +3 +\/.*step-0000000020$/);
    expect(second).toMatch(/^1000 .* 12 +1 +\/.*step-0000001000$/);
    expect(first!.indexOf('KiB')).toBe(second!.indexOf('KiB'));
  });

  it('marks what is damaged, and says why', async () => {
    await saveSolo(root.path, { step: 1, tensors: { w: plainTensor('F32', [64]) } });
    const short = await saveSolo(root.path, { step: 2, tensors: { w: plainTensor('F32', [64]) } });
    truncateSync(join(short, 'model-00001-of-00001.safetensors'), 4100);
    const flipped = await saveSolo(root.path, { step: 3, tensors: { w: plainTensor('F32', [64]) } });
    flipBit(join(flipped, 'manifest.json'), 40);

    const { code, stdout } = await snapshard('ls', root.path);
    expect(code).toBe(1);
    const lines = stdout.split('\n').filter((line) => /^ *\d+ {2}/.test(line));
    expect(lines.map((line) => line.includes('damaged'))).toEqual([false, true, true]);
    expect(stdout).toMatch(/step-0000000002 is damaged: .*model-00001-of-00001\.safetensors/s);
    expect(stdout).toMatch(/step-0000000003 is damaged: /);

    const { code: jsonCode, value } = await snapshardJson<Listing>('ls', root.path);
    expect(jsonCode).toBe(1);
    expect(value.checkpoints.map(({ step, damaged }) => [step, typeof damaged])).toEqual([
      [1, 'undefined'],
      [2, 'string'],
      [3, 'string'],
    ]);
    expect(value.checkpoints[0]).toMatchObject({ name: 'step-0000000001', tensors: 1, worldSize: 1 });

    const quick = await snapshardJson<Listing>('ls', root.path, '--quick');
    expect(quick.value.checkpoints.map(({ damaged }) => typeof damaged)).toEqual(['undefined', 'undefined', 'string']);
  });

  it('says that there is none', async () => {
    const { code, stdout, stderr } = await snapshard('ls', root.path);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toBe(`${root.path} holds no checkpoint.\n`);
    expect((await snapshardJson<Listing>('ls', root.path)).value.checkpoints).toEqual([]);
  });
});

interface Inspection {
  step: number;
  metadata: unknown;
  groups: { name: string; tensors: number; bytes: number; files: number }[];
  sideFiles: { name: string; bytes: number }[];
  tensors: { name: string; dtype: string; shape: number[]; bytes: number; slices: { file: string }[] }[];
  total: { tensors: number; bytes: number };
}

describe('inspect', () => {
  it('prints metadata, groups, files and tensors', async () => {
    const metadata = { epoch: 3, optimizer: { lr: 0.1 } };
    const path = await saveSolo(root.path, { step: 7, tensors: layers(), metadata, files: { 'config.json': '{}' } });
    const { code, stdout } = await snapshard('inspect', path);
    expect(code).toBe(0);
    expect(stdout).toContain(`path      ${path}\nformat    snapshard\nstep      7\n`);
    expect(stdout).toContain('metadata  epoch: 3\n          optimizer.lr: 0.1\n');
    expect(stdout).toMatch(/^model +8 +\d+\.\d\d KiB +1$/m);
    expect(stdout).toMatch(/^optimizer-00001-of-00001\.safetensors +4 +32\.00 KiB$/m);
    expect(stdout).toMatch(/^config\.json +2 B$/m);
    expect(stdout).toMatch(/^layers\.0\.wq\.weight +F32 +\[64, 32\] +8\.00 KiB +model$/m);
    expect(stdout).toMatch(/^total: 12 tensors, /m);
    expect(widest(stdout)).toBeLessThanOrEqual(100);
  });

  it('takes a root for its newest, and says what it passed over', async () => {
    await saveSolo(root.path, { step: 1, tensors: { w: plainTensor('F32', [64]) } });
    const damaged = await saveSolo(root.path, { step: 2, tensors: { w: plainTensor('F32', [64]) } });
    flipBit(join(damaged, 'manifest.json'), 40);
    const { code, stdout, stderr } = await snapshard('inspect', root.path);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^step +1$/m);
    expect(stderr).toMatch(/^passed over .*step-0000000002: /);
    const direct = await snapshard('inspect', damaged);
    expect(direct).toMatchObject({ code: 1, stdout: '' });
    expect(direct.stderr).toMatch(/^ERR_SNAPSHARD_CORRUPT: /);
  });

  it('filters by name and group', async () => {
    const path = await saveSolo(root.path, { step: 7, tensors: layers() });
    const { value } = await snapshardJson<Inspection>('inspect', path, '--group', 'optimizer', '-f', 'layers.0.*');
    expect(value.tensors.map(({ name }) => name).sort()).toEqual(['layers.0.wk.weight.exp_avg', 'layers.0.wq.weight.exp_avg']);
    expect(value.groups).toEqual([{ name: 'optimizer', tensors: 2, bytes: 16_384, files: 1 }]);
    expect(value.total).toEqual({ tensors: 2, bytes: 16_384 });
    const none = await snapshard('inspect', path, '-f', 'nothing');
    expect(none.code).toBe(2);
    expect(none.stderr).toMatch(/^ERR_SNAPSHARD_NOT_FOUND: .*--filter "nothing"/);
  });

  it('shows many tensors as a tree, and layers that are alike once', async () => {
    const many = new Map(
      Array.from({ length: 120 }, (_, layer) => [`model.layers.${layer}.weight`, plainTensor('BF16', [16, 16])]),
    );
    const path = await saveSolo(root.path, { step: 7, tensors: many.set('lm_head', plainTensor('F32', [8])) });
    const { stdout } = await snapshard('inspect', path);
    expect(stdout).toContain('0 … 119.weight  (120 alike, each:)');
    expect(stdout).toMatch(/^model\.layers\. +120 +60\.00 KiB$/m);
    expect((await snapshard('inspect', path, '--depth', '1')).stdout).not.toContain('alike');
    const list = await snapshard('inspect', path, '--list');
    expect(list.stdout.match(/^model\.layers\.\d+\.weight /gm)).toHaveLength(120);
  });

  it('tells of slices', async () => {
    const whole = plainTensor('F32', [7, 5]);
    const path = await saveAsRanks(root.path, 3, 5, (rank) => ({ w: cut(whole, 1, rank, 3) }));
    const { value } = await snapshardJson<Inspection>('inspect', path);
    expect(value.tensors).toHaveLength(1);
    expect(value.tensors[0]).toMatchObject({ name: 'w', dtype: 'F32', shape: [7, 5], bytes: 140 });
    expect(value.tensors[0]!.slices.map(({ file }) => file.slice(0, 11)).sort()).toEqual([1, 2, 3].map((n) => `shard-0000${n}`));
    expect((await snapshard('inspect', path)).stdout).toMatch(/^w +F32 +\[7, 5\] +140 B +3$/m);
  });

  it('lets no name steer the terminal, and keeps long ones whole', async () => {
    const name = 'block.'.repeat(40);
    const tensors = { ['evil\u001b[2J']: plainTensor('U8', [4]), [name]: plainTensor('U8', [4]) };
    const path = await saveSolo(root.path, { step: 7, tensors, metadata: { note: '\u001b]0;title\u0007' } });
    const { stdout } = await snapshard('inspect', path, '--list');
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
    expect(stdout).toContain('evil\\u001b[2J');
    expect(widest(stdout)).toBeLessThanOrEqual(100);
    const { value } = await snapshardJson<Inspection>('inspect', path);
    expect(value.tensors.map((tensor) => tensor.name).sort()).toEqual([name, 'evil\u001b[2J']);
  });

  it('reads what others wrote', async () => {
    const header = Buffer.from('{"__metadata__":{"made":"by hand"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}');
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    const path = join(root.path, 'foreign.safetensors');
    writeFileSync(path, Buffer.concat([length, header, Buffer.alloc(8)]));
    const { code, stdout } = await snapshard('inspect', path);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^format +safetensors$/m);
    expect(stdout).toMatch(/^digest +none/m);
    expect(stdout).toMatch(/^a +F32 +\[2\] +8 B$/m);
    writeFileSync(path, Buffer.concat([length, header, Buffer.alloc(7)]));
    const broken = await snapshard('inspect', path);
    expect(broken.code).toBe(1);
    expect(broken.stderr).toMatch(/^ERR_SNAPSHARD_CORRUPT: .*\n$/);
  });
});
