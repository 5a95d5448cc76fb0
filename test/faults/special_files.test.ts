import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { CheckpointWriter, latestCheckpoint, listCheckpoints, openCheckpoint, removeCheckpoint, SnapshardError } from 'snapshard';
import { expect, it, onTestFinished } from 'vitest';
import { describeTree } from '../soak/hostile/canary.js';
import { saveSolo, snapshard, snapshardJson } from '../support/cli.js';
import { namesIn, useRoot } from '../support/root.js';

const root = useRoot();
const at = (...names: string[]): string => join(root.path, ...names);
const request = (step: number) => ({ step, tensors: { data: new Uint8Array(9999) }, files: { 'config.json': '{}' } });
const shard = 'model-00001-of-00001.safetensors';
const reading = { stagingBytes: 2 ** 23 };

/** What may stand where a file or a directory should be. */
const oddities: Record<string, (path: string) => void | Promise<void>> = {
  'a FIFO': (path) => { execFileSync('mkfifo', [path]); },
  'a socket': async (path) => {
    const server = createServer();
    onTestFinished(() => { server.close(); });
    await new Promise<void>((resolve) => { server.listen(path, resolve); });
  },
  'a directory': (path) => { mkdirSync(path); },
  'an empty file': (path) => { writeFileSync(path, ''); },
  'a sparse file of a terabyte': (path) => { writeFileSync(path, ''); truncateSync(path, 2 ** 40); },
  'a dangling link': (path) => { symlinkSync('nothing', path); },
  'a link to itself': (path) => { symlinkSync(path, path); },
  'a link to an endless file': (path) => { symlinkSync('/dev/zero', path); },
};

/** How a call ended: fine, or with which code. */
async function endOf(call: () => Promise<unknown>): Promise<string> {
  try {
    await call();
    return 'done';
  } catch (error) {
    expect(error).toBeInstanceOf(SnapshardError);
    return (error as SnapshardError).code;
  }
}

async function verify(path: string): Promise<number> {
  const checkpoint = await openCheckpoint(path, reading);
  try {
    return (await checkpoint.verify()).damaged.length;
  } finally {
    await checkpoint.close();
  }
}

async function latestStep(): Promise<number | undefined> {
  const checkpoint = await latestCheckpoint(root.path, reading);
  await checkpoint.close();
  return checkpoint.step;
}

it.each(Object.entries(oddities))('%s in place of what a checkpoint is made of is damage, and nothing worse', async (_, put) => {
  for (const name of ['', 'manifest.json', shard, 'ranks', 'ranks/00000.json', 'ranks/00000.digests', 'config.json']) {
    await saveSolo(root.path, request(1));
    const path = await saveSolo(root.path, request(2));
    rmSync(join(path, name), { recursive: true });
    await put(join(path, name));
    expect(await latestStep(), name).toBe(1);
    expect((await listCheckpoints(root.path)).map(({ step }) => step), name).toEqual([1, 2]);
    const found = await endOf(async () => { expect(await verify(path), name).toBeGreaterThan(0); });
    expect(found, name).toMatch(/^(done|ERR_SNAPSHARD_(CORRUPT|NOT_FOUND|NOT_A_DIRECTORY|IO))$/);
    await removeCheckpoint(root.path, 2);
    await removeCheckpoint(root.path, 1);
    expect(namesIn(root.path), name).toEqual([]);
  }
});

it.each(Object.entries(oddities))('%s in place of leftovers is removed, and hinders nobody', async (_, put) => {
  for (const name of ['.dead-0', '.step-0000000001.0.partial', '.session-0.0', '.session-0.1.roster']) await put(at(name));
  await saveSolo(root.path, request(1));
  expect(await latestStep()).toBe(1);
  const left = namesIn(root.path).filter((name) => name !== 'step-0000000001');
  // What is no directory nobody holds, and it never was a save or a session.
  expect(left.filter((name) => !/^\.(step|session)-/.test(name))).toEqual([]);
});

it('names that only look like those of steps, and those that are no text, are passed over', async () => {
  const odd = ['step-0000000009\n', 'step-00000000009', '.dead-\n', `step-${'9'.repeat(250)}`, 'step-9007199254740993'];
  for (const name of odd) mkdirSync(at(name));
  mkdirSync(Buffer.concat([Buffer.from(at('step-000000000')), Buffer.from([0xff, 0xfe])]));
  await saveSolo(root.path, request(1));
  expect((await listCheckpoints(root.path)).map(({ name }) => name)).toEqual(['step-0000000001']);
  expect((await snapshard('ls', root.path)).code).toBe(0);
  expect(readdirSync(root.path)).toHaveLength(odd.length + 2);
});

it('commands do not count what links lead to', async () => {
  await saveSolo(root.path, request(1));
  symlinkSync('/', at('step-0000000002'));
  const { code, value } = await snapshardJson<{ checkpoints: { bytes: number }[] }>('ls', root.path);
  expect(code).toBe(1);
  expect(value.checkpoints.map(({ bytes }) => bytes < 1e6)).toEqual([true, true]);
  expect(value.checkpoints[1]?.bytes).toBe(0);
  expect((await snapshard('rm', root.path, '2', '--yes')).code).toBe(0);
  expect(namesIn(root.path)).toEqual(['step-0000000001']);
});

const makeDeep = `
import os, sys
os.chdir(sys.argv[1])
for _ in range(2000):
    os.mkdir('d')
    os.chdir('d')`;

it('directories nested without end end no process', async () => {
  mkdirSync(at('.dead-0'));
  execFileSync('python3', ['-c', makeDeep, at('.dead-0')]);
  try {
    await saveSolo(root.path, request(1));
    expect(await latestStep()).toBe(1);
    expect((await snapshard('ls', root.path)).code).toBe(0);
  } finally {
    execFileSync('rm', ['-rf', at('.dead-0')]);
  }
});

/** Something mounted on a new directory; why it cannot be, as a string. */
function mountAt(path: string, from: string): string | undefined {
  mkdirSync(path);
  try {
    execFileSync('mount', ['--bind', from, path], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `no mount: ${String(error)}`;
  }
}

/** Wherever they are by now. */
function unmountAll(): void {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').map((line) => line.split(' ')[4] ?? '');
  for (const path of mounts.filter((each) => each.startsWith(`${root.path}/`))) execFileSync('umount', [path]);
}

it('what is mounted in a leftover or in a step is not removed', async (context) => {
  const outside = at('outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'kept'), 'kept');
  await saveSolo(root.path, request(1));
  mkdirSync(at('.dead-0'));
  try {
    const refused = mountAt(at('.dead-0', 'mounted'), outside) ?? mountAt(at('step-0000000001', 'mounted'), outside);
    if (refused !== undefined) context.skip(refused);
    const before = describeTree(outside);
    await removeCheckpoint(root.path, 1);
    await (await CheckpointWriter.open(root.path, reading)).close();
    expect(describeTree(outside)).toEqual(before);
    expect(await listCheckpoints(root.path)).toEqual([]);
    expect(namesIn(root.path).filter((name) => name.startsWith('.dead-'))).toHaveLength(2);
  } finally {
    unmountAll();
  }
});

it('a file that is linked twice is not changed by a removal', async () => {
  const path = await saveSolo(root.path, request(1));
  execFileSync('ln', [join(path, shard), at('kept')]);
  chmodSync(at('kept'), 0o400);
  await removeCheckpoint(root.path, 1);
  expect(namesIn(root.path)).toEqual(['kept']);
});
