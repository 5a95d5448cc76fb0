import { mkdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MiB } from '../support/bytes.js';
import { cut, flipBit, plainTensor, saveAsRanks, saveSolo, snapshard, snapshardJson } from '../support/cli.js';
import { useRoot } from '../support/root.js';

const root = useRoot();

interface Report {
  bytes: number;
  chunks: number;
  hasDigests: boolean;
  damaged: { file: string; offset: number; bytes: number; tensor?: string; reason: string }[];
  passedOver: { path: string; reason: string }[];
}

const shard = 'model-00001-of-00001.safetensors';

describe('verify', () => {
  it('finds nothing in what is whole', async () => {
    const tensors = { a: plainTensor('F32', [600, 1000]), b: plainTensor('U8', [5]) };
    const path = await saveSolo(root.path, { step: 1, tensors, files: { 'config.json': '{}' } });
    const { code, stdout, stderr } = await snapshard('verify', path);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^fine: /m);
    expect(stdout).toMatch(/2\.29 MiB.*\/s/);

    const { code: jsonCode, value } = await snapshardJson<Report>('verify', path);
    expect(jsonCode).toBe(0);
    expect(value).toMatchObject({ hasDigests: true, damaged: [], passedOver: [] });
    expect(value.bytes).toBeGreaterThanOrEqual(2_400_005);
  });

  it('names each damaged chunk by file, offset and tensor', async () => {
    const tensors = { a: plainTensor('F32', [1024, 1024]), b: plainTensor('U8', [5]) };
    const path = await saveSolo(root.path, { step: 1, tensors });
    flipBit(join(path, shard), 4096 + 2 * MiB + 17);
    flipBit(join(path, shard), statSync(join(path, shard)).size - 1);
    const { code, value } = await snapshardJson<Report>('verify', path);
    expect(code).toBe(1);
    expect(value.damaged).toEqual([
      { file: shard, offset: 4096 + 2 * MiB, bytes: MiB, tensor: 'a', reason: expect.any(String) as string },
      { file: shard, offset: 4096 + 4 * MiB, bytes: 5, tensor: 'b', reason: expect.any(String) as string },
    ]);
    const { code: textCode, stdout } = await snapshard('verify', path);
    expect(textCode).toBe(1);
    expect(stdout).toMatch(new RegExp(`^  ${shard} +${4096 + 2 * MiB} +1\\.00 MiB +a$`, 'm'));
    expect(stdout).toMatch(/^damaged: 2 places/m);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  it('checks headers, side files, and the parts of all ranks', async () => {
    const whole = plainTensor('F32', [64, 64]);
    const files = { 'config.json': '{}' };
    const path = await saveAsRanks(root.path, 2, 9, (rank) => ({ w: cut(whole, 0, rank, 2) }), { files });
    writeFileSync(join(path, 'config.json'), '[]');
    flipBit(join(path, 'shard-00002-model-00001-of-00001.safetensors'), 4095);
    const { code, value } = await snapshardJson<Report>('verify', path);
    expect(code).toBe(1);
    expect(value.damaged.map(({ file, tensor }) => [file, tensor])).toEqual([
      ['config.json', undefined],
      ['shard-00002-model-00001-of-00001.safetensors', undefined],
    ]);
  });

  it('counts newer checkpoints of a root that are not whole', async () => {
    await saveSolo(root.path, { step: 1, tensors: { a: plainTensor('U8', [5]) } });
    const newer = await saveSolo(root.path, { step: 2, tensors: { a: plainTensor('U8', [5]) } });
    expect((await snapshard('verify', root.path)).code).toBe(0);
    truncateSync(join(newer, shard), 4097);
    const { code, value } = await snapshardJson<Report>('verify', root.path);
    expect(code).toBe(1);
    expect(value.damaged).toEqual([]);
    expect(value.passedOver.map((passed) => passed.path)).toEqual([newer]);
    const { stdout } = await snapshard('verify', root.path);
    expect(stdout).toMatch(/step-0000000002/);
  });

  it('verifies all of a root where that is asked for', async () => {
    const tensors = { a: plainTensor('U8', [5]) };
    const paths: string[] = [];
    for (const step of [1, 2, 3, 4]) paths.push(await saveSolo(root.path, { step, tensors }));
    expect((await snapshard('verify', root.path, '--all')).stdout).toMatch(/^4 checkpoints: 4 fine, 0 damaged$/m);
    flipBit(join(paths[0]!, shard), 4096);
    flipBit(join(paths[1]!, 'manifest.json'), 40);
    flipBit(join(paths[2]!, 'ranks/00000.json'), 40);
    expect((await snapshard('verify', root.path)).code).toBe(0);
    const { code, value } = await snapshardJson<{ checkpoints: (Partial<Report> & { step: number; unreadable?: string })[] }>(
      ...['verify', root.path, '--all'],
    );
    expect(code).toBe(1);
    expect(value.checkpoints.map(({ step, damaged, unreadable }) => [step, damaged?.length ?? typeof unreadable])).toEqual([
      [1, 1],
      [2, 'string'],
      [3, 'string'],
      [4, 0],
    ]);
    const { code: textCode, stdout } = await snapshard('verify', '--all', root.path);
    expect(textCode).toBe(1);
    expect(stdout).toMatch(/^4 checkpoints: 1 fine, 3 damaged$/m);
    for (const step of [2, 3]) expect(stdout).toMatch(new RegExp(`step-000000000${step} is damaged: `));
  });

  it('has nothing to verify where there is no root', async () => {
    const path = await saveSolo(root.path, { step: 1, tensors: { a: plainTensor('U8', [5]) } });
    const { code, stderr } = await snapshard('verify', '--all', path);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^ERR_SNAPSHARD_NOT_FOUND: .*holds no checkpoint: --all verifies those of a root/);
  });

  it('is no judge of a save that is under way', async () => {
    const path = await saveSolo(root.path, { step: 1, tensors: { a: plainTensor('U8', [5]) } });
    mkdirSync(join(root.path, '.step-0000000002.0a1b2c.partial'));
    const { code, value } = await snapshardJson<Report & { path: string }>('verify', root.path);
    expect({ code, path: value.path }).toEqual({ code: 0, path });
  });

  it('says of what others wrote that there are no digests', async () => {
    const path = await saveSolo(root.path, { step: 1, tensors: { a: plainTensor('F32', [5]) } });
    const { code, stdout } = await snapshard('verify', join(path, shard));
    expect(code).toBe(0);
    expect(stdout).toContain('no digests');
    const { value } = await snapshardJson<Report>('verify', join(path, shard));
    expect(value.hasDigests).toBe(false);
  });
});
