import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { MiB } from '../support/bytes.js';
import { alice, as, whyNoUsers } from '../support/as_user.js';
import { cliPath } from '../support/cli.js';
import { denying, saveUnder, whyNot } from '../support/faulty_save.js';
import { useRoot } from '../support/root.js';

const root = useRoot();
const noUsers = whyNoUsers();
if (noUsers !== undefined) console.warn(`skipped: ${noUsers}`);

/** Modes of all below, by kind; also of what is there for a moment only, where it is looked at then. */
function modesBelow(path: string): { files: number[]; directories: number[]; group: number[] } {
  const all = readdirSync(path, { recursive: true, encoding: 'utf8' }).map((name) => lstatSync(join(path, name)));
  const modesOf = (some: typeof all): number[] => [...new Set(some.map(({ mode }) => mode & 0o7777))];
  const isDirectory = (status: (typeof all)[number]): boolean => status.isDirectory();
  return {
    files: modesOf(all.filter((status) => !isDirectory(status))),
    directories: modesOf(all.filter(isDirectory)),
    group: [...new Set(all.map(({ gid }) => gid))],
  };
}

it.each(['000', '002', '022', '027', '077'])('modes follow the umask: %s', async (octal) => {
  const umask = Number.parseInt(octal, 8);
  const actions = [{ do: 'save', step: 1 }, { do: 'saveAsRanks', step: 2, runId: 'r' }] as const;
  const ends = await as(undefined, root.path, [...actions, { do: 'modes', step: 3, runId: 'r' }], umask);
  expect(ends.map(({ failure }) => failure)).toEqual([undefined, undefined, undefined]);
  const out = join(root.path, 'out');
  const command = `umask ${octal}; exec "$0" "$@"`;
  execFileSync('sh', ['-c', command, process.execPath, cliPath, 'export', join(root.path, 'step-0000000001'), out]);
  const expected = { files: [0o666 & ~umask], directories: [0o777 & ~umask] };
  expect(modesBelow(root.path)).toMatchObject(expected);
  // Of sessions, as they were while they were there.
  expect(ends[2]?.value).toEqual({ ...expected, names: expect.stringMatching(/\.session-.*\.roster/) as string });
});

it.skipIf(noUsers !== undefined)('a umask that shuts even its owner out is refused with a code, and leaves nothing', async () => {
  chmodSync(root.path, 0o777);
  const [refused] = await as(alice, root.path, [{ do: 'save', step: 1 }], 0o777);
  expect(refused?.failure).toMatchObject({ code: 'ERR_SNAPSHARD_PERMISSION', errno: 'EACCES' });
  expect(readdirSync(root.path)).toEqual([]);
  const [saved] = await as(alice, root.path, [{ do: 'save', step: 1 }], 0o077);
  expect(saved?.failure).toBeUndefined();
});

it.skipIf(noUsers !== undefined)('a setgid directory hands its group down', async () => {
  const shared = join(root.path, 'shared');
  mkdirSync(shared);
  execFileSync('chown', [`${alice.uid}:61007`, shared]);
  chmodSync(shared, 0o2770);
  chmodSync(root.path, 0o755);
  const ends = await as(alice, shared, [{ do: 'save', step: 1 }, { do: 'saveAsRanks', step: 2, runId: 'r' }], 0o007);
  expect(ends.map(({ failure }) => failure)).toEqual([undefined, undefined]);
  expect(modesBelow(shared)).toEqual({ files: [0o660], directories: [0o2770], group: [61_007] });
});

const setDefaultAcl = `
import os, struct, sys
entries = [(1, 7, -1), (2, 7, 61002), (4, 0, -1), (16, 7, -1), (32, 0, -1)]
acl = struct.pack('<I', 2) + b''.join(struct.pack('<HHi', *entry) for entry in entries)
os.setxattr(sys.argv[1], 'system.posix_acl_default', acl)`;
const getAcl = `
import os, sys
for folder, _, files in os.walk(sys.argv[1]):
    for name in files: print(len(os.getxattr(os.path.join(folder, name), 'system.posix_acl_access')))`;

it('a default ACL counts, and not the umask', async (context) => {
  const set = spawnSync('python3', ['-c', setDefaultAcl, root.path], { encoding: 'utf8' });
  if (set.status !== 0) context.skip(`no default ACL here: ${set.stderr}`);
  const [saved] = await as(undefined, root.path, [{ do: 'save', step: 1 }], 0o077);
  expect(saved?.failure).toBeUndefined();
  expect(modesBelow(root.path)).toMatchObject({ files: [0o660], directories: [0o770] });
  const lengths = execFileSync('python3', ['-c', getAcl, root.path], { encoding: 'utf8' }).trim().split('\n');
  expect(new Set(lengths)).toEqual(new Set(['44']));
});

const cutsRefused = whyNot(denying('ftruncate=EIO', 'unlinkat=EPERM'));

/** The same pool serves one save after the other, and what is written is longer than the file before it is cut. */
it.skipIf(cutsRefused !== undefined)('what lies beyond the end of a shard before it is cut is zero', async () => {
  const saves = [{ step: 1 }, { step: 2 }, { step: 3, extraBytes: 5 * MiB }, { step: 4 }];
  const launcher = denying('ftruncate=EIO', 'unlinkat=EPERM');
  const result = await saveUnder(launcher, { root: root.path, saves });
  expect(result.saves.map(({ failure }) => failure?.syscall)).toEqual(saves.map(() => 'ftruncate'));
  const shards = readdirSync(root.path, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.safetensors'));
  const tails = shards.map((name) => tailOf(readFileSync(join(root.path, name)))).filter((tail) => tail.length > 0);
  for (const tail of tails) expect(tail.every((byte) => byte === 0)).toBe(true);
  if (tails.length === 0) console.warn('nothing was written beyond an end: there is no direct I/O here');
});

/** What follows the last tensor; of a shard whose header is not there yet, nothing of it may be there. */
function tailOf(bytes: Buffer): Buffer {
  const length = Number(bytes.readBigUInt64LE(0));
  if (length === 0) return bytes.subarray(0, 8);
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<string, { data_offsets?: [number, number] }>;
  const end = Math.max(0, ...Object.values(header).map(({ data_offsets: offsets }) => offsets?.[1] ?? 0));
  return bytes.subarray(8 + length + end);
}
