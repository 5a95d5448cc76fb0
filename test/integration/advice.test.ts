import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CheckpointWriter, fileSource, latestCheckpoint, openCheckpoint, removeCheckpoint } from 'snapshard';
import { describe, expect, it } from 'vitest';
import { cliPath, plainTensor, saveSolo, snapshard } from '../support/cli.js';
import { whyNot } from '../support/faulty_run.js';
import { namesIn, useRoot } from '../support/root.js';

const root = useRoot();
const tensors = { a: plainTensor('U8', [5]) };

async function messageOf(call: Promise<unknown>, code: string): Promise<string> {
  const error: unknown = await call.then(
    () => expect.fail('did not fail'),
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: 'SnapshardError', code });
  return (error as Error).message;
}

describe('what an error advises', () => {
  it.each([undefined, '', 7, pathToFileURL('/tmp/x')])('where %o is to be the path of a checkpoint', async (path) => {
    const message = await messageOf(openCheckpoint(path as never), 'ERR_SNAPSHARD_INVALID_ARGUMENT');
    expect(message).toMatch(/^Expected the path of a checkpoint, a folder or a file, for `path` but received/);
  });

  it('creates nothing where there is nothing to read', async () => {
    const gone = join(root.path, 'gone');
    for (const call of [openCheckpoint, latestCheckpoint, (path: string) => removeCheckpoint(path, 1)]) {
      const message = await messageOf(call(gone), 'ERR_SNAPSHARD_NOT_FOUND');
      expect(message).toMatch(/gone\. It does not exist: correct the path\.$/);
    }
    expect(await messageOf(openCheckpoint(gone), 'ERR_SNAPSHARD_NOT_FOUND')).toContain('Cannot open the checkpoint:');
    const message = await messageOf(CheckpointWriter.open(gone), 'ERR_SNAPSHARD_NOT_FOUND');
    expect(message).toMatch(/^Cannot open the root: .*create it, or correct the path\.$/);
  });

  it('speaks of no save where one reads', async () => {
    const message = await messageOf(openCheckpoint(join(root.path, 'x'.repeat(300))), 'ERR_SNAPSHARD_IO');
    expect(message).toMatch(/ENAMETOOLONG .*is too long: correct it\.$/);
  });

  it('names the tensor whose file is missing', async () => {
    await using writer = await CheckpointWriter.open(root.path, { stagingBytes: 2 ** 24 });
    const path = join(root.path, 'gone');
    const data = fileSource({ path, bytes: 8 });
    const save = writer.save({ step: 1, tensors: { ...tensors, w: { dtype: 'U8', shape: [8], data } } });
    const message = await messageOf(Promise.resolve(save), 'ERR_SNAPSHARD_NOT_FOUND');
    expect(message).toContain(`Cannot save tensor "w" from its fileSource: ENOENT from open on ${path}.`);
  });

  it('calls the folder of an export by its name', async () => {
    const path = await saveSolo(root.path, { step: 1, tensors });
    const { code, stderr } = await snapshard('export', path, join(root.path, 'gone', 'out'));
    expect(code).toBe(2);
    expect(stderr).toMatch(/^ERR_SNAPSHARD_NOT_FOUND: Cannot open the folder to export to: .*gone\. .*create it/);
  });

  it('sends who lists a checkpoint to its root', async () => {
    const path = await saveSolo(root.path, { step: 1, tensors });
    const { code, stderr } = await snapshard('ls', path);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^ERR_SNAPSHARD_NOT_FOUND: .*step-0000000001 holds no checkpoint, for it is one itself/);
  });
});

describe('Ctrl+C', () => {
  it('at the question of rm removes nothing, and ends with 130', async (context) => {
    const onTerminal = ['script', '--quiet', '--return', '/dev/null', '--command'];
    const refused = whyNot(onTerminal);
    if (refused !== undefined) return context.skip(refused);
    await saveSolo(root.path, { step: 1, tensors });
    const [command, ...options] = onTerminal as [string, ...string[]];
    const line = `${process.execPath} ${cliPath} rm ${root.path} 1`;
    const child = spawn(command, [...options, line], { stdio: ['pipe', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (data: Buffer) => {
      const asked = text.includes('[y/N]');
      text += data.toString();
      if (!asked && text.includes('[y/N]')) child.stdin.write('\u0003');
    });
    expect(await once(child, 'close')).toEqual([130, null]);
    expect(text).toContain('Interrupted.');
    expect(namesIn(root.path)).toEqual(['step-0000000001']);
  });
});
