import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync, chownSync, lchownSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { alice, as, bob, whyNoUsers, type User } from '../support/as_user.js';
import { useRoot } from '../support/root.js';
import { describeTree } from '../soak/hostile/canary.js';

const folder = useRoot();
const whyNot = whyNoUsers();
if (whyNot !== undefined) console.warn(`skipped: ${whyNot}`);

let root: string;
let outside: string;

/** A root that all may write to, and something of Alice's beside it that nobody may touch. */
beforeEach(() => {
  chmodSync(folder.path, 0o755);
  root = join(folder.path, 'root');
  outside = join(folder.path, 'outside');
  mkdirSync(root);
  chmodSync(root, 0o1777);
  mkdirSync(join(outside, 'ranks'), { recursive: true });
  writeFileSync(join(outside, 'config.json'), 'secret');
  for (const path of [outside, join(outside, 'ranks'), join(outside, 'config.json')]) chownSync(path, alice.uid, alice.gid);
});

function plantLink({ uid, gid }: User, name: string, target: string): void {
  symlinkSync(target, join(root, name));
  lchownSync(join(root, name), uid, gid);
}

const names = (): string[] => readdirSync(root).sort();

describe.skipIf(whyNot !== undefined)('two users of a sticky directory', () => {
  it('save, read each other, and take nothing from each other', async () => {
    await as(alice, root, [{ do: 'save', step: 1, fill: 11 }]);
    const ends = await as(bob, root, [{ do: 'latest' }, { do: 'save', step: 2 }, { do: 'remove', step: 1 }]);
    expect(ends[0]?.value).toEqual({ step: 1, first: 11, damaged: [] });
    expect(ends[1]?.failure).toBeUndefined();
    expect(ends[2]?.failure).toMatchObject({ code: 'ERR_SNAPSHARD_PERMISSION', errno: 'EPERM' });
    expect(names()).toEqual(['step-0000000001', 'step-0000000002']);
    expect(lstatSync(join(root, 'step-0000000002')).uid).toBe(bob.uid);
    const [kept] = await as(alice, root, [{ do: 'list' }]);
    expect(kept?.value).toEqual(['step-0000000001', 'step-0000000002'].map((name) => ({ name, damaged: false })));
  });

  it('replace each other without removing each other', async () => {
    await as(alice, root, [{ do: 'save', step: 1, fill: 11 }]);
    const ends = await as(bob, root, [{ do: 'save', step: 1, fill: 22, overwrite: true }, { do: 'latest' }]);
    expect(ends[0]?.failure).toBeUndefined();
    expect(ends[1]?.value).toEqual({ step: 1, first: 22, damaged: [] });
    expect(names()).toEqual(['step-0000000001', 'step-0000000001.g2']);
  });

  it('are not held up by what the other left, who removes it', async () => {
    await as(alice, root, [{ do: 'die', step: 3 }]);
    const [left] = names();
    expect(left).toMatch(/^\.step-0000000003\..*\.partial$/);
    const [saved] = await as(bob, root, [{ do: 'save', step: 3 }]);
    expect(saved?.failure).toBeUndefined();
    expect(names()).toEqual([left, 'step-0000000003']);
    await as(alice, root, [{ do: 'save', step: 4 }]);
    expect(names()).toEqual(['step-0000000003', 'step-0000000004']);
  });

  it('do not read what a umask keeps from others', async () => {
    await as(alice, root, [{ do: 'save', step: 1 }], 0o077);
    const ends = await as(bob, root, [{ do: 'latest' }, { do: 'list' }, { do: 'save', step: 2 }, { do: 'latest' }]);
    expect(ends[0]?.failure?.code).toBe('ERR_SNAPSHARD_NOT_FOUND');
    expect(ends[0]?.failure?.message).toContain('EACCES');
    expect(ends[1]?.value).toEqual([{ name: 'step-0000000001', damaged: true }]);
    expect(ends[3]?.value).toMatchObject({ step: 2 });
  });
});

describe.skipIf(whyNot !== undefined)('what another user planted', () => {
  const planted: [name: string, plant: (name: string) => void][] = [
    ['a link to a directory', (name) => { plantLink(bob, name, outside); }],
    ['a dangling link', (name) => { plantLink(bob, name, join(outside, 'made')); }],
    ['a link to itself', (name) => { plantLink(bob, name, name); }],
    ['a file', (name) => { writeFileSync(join(root, name), 'planted'); chownSync(join(root, name), bob.uid, bob.gid); }],
    ['a directory', (name) => {
      mkdirSync(join(root, name));
      chownSync(join(root, name), bob.uid, bob.gid);
      chmodSync(join(root, name), 0o777);
      symlinkSync(outside, join(root, name, 'ranks'));
    }],
  ];

  it.each(planted)('as a step: %s', async (_, plant) => {
    plant('step-0000000005');
    const before = describeTree(outside);
    const actions = [{ do: 'save', step: 5 }, { do: 'save', step: 5, overwrite: true, fill: 9 }, { do: 'latest' }] as const;
    const ends = await as(alice, root, [...actions, { do: 'list' }, { do: 'remove', step: 5 }]);
    expect(ends[0]?.failure?.code).toBe('ERR_SNAPSHARD_STEP_EXISTS');
    expect(ends[1]?.failure).toBeUndefined();
    expect(ends[2]?.value).toEqual({ step: 5, first: 9, damaged: [] });
    expect(ends[3]?.value).toEqual([{ name: 'step-0000000005.g2', damaged: false }]);
    expect(ends[4]?.failure?.code).toBe('ERR_SNAPSHARD_PERMISSION');
    expect(describeTree(outside)).toEqual(before);
    expect(names()).toContain('step-0000000005');
  });

  it.each(planted)('as a leftover: %s', async (_, plant) => {
    for (const name of ['.dead-0', '.step-0000000005.0.partial', '.session-00.0', '.session-00.0.roster']) plant(name);
    const before = describeTree(outside);
    const ends = await as(alice, root, [{ do: 'save', step: 5 }, { do: 'latest' }, { do: 'remove', step: 5 }]);
    expect(ends.map(({ failure }) => failure)).toEqual([undefined, undefined, undefined]);
    expect(describeTree(outside)).toEqual(before);
    expect(names()).toHaveLength(4);
    // Root may remove all, and follows nothing either.
    const [swept] = await as(undefined, root, [{ do: 'save', step: 6 }]);
    expect(swept?.failure).toBeUndefined();
    expect(describeTree(outside)).toEqual(before);
  });

  it.each([planted[0]!, planted[4]!])('as a session of the same run: %s', async (_, plant) => {
    const [met] = await as(alice, root, [{ do: 'sessions', step: 1, runId: 'r' }]);
    const session = (met?.value as string[]).find((name) => /^\.session-[0-9a-f]+\.[0-9a-z]+$/.test(name))!;
    plant(session);
    plant(`${session}.roster`);
    const before = describeTree(outside);
    const ends = await as(alice, root, [{ do: 'saveAsRanks', step: 2, runId: 'r' }, { do: 'saveAsRanks', step: 2, runId: 's' }]);
    expect(ends[0]?.failure?.code ?? 'done').toMatch(/^(done|ERR_SNAPSHARD_PERMISSION)$/);
    expect(ends[1]?.failure?.code ?? 'done').toMatch(ends[0]?.failure === undefined ? /STEP_EXISTS/ : /done/);
    expect(describeTree(outside)).toEqual(before);
    expect(existsSync(join(outside, 'made'))).toBe(false);
  });
});
