import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SnapshardError } from '../../lib/errors.js';
import { type DataCheck, type LatestStored, openLatestStored } from '../../lib/restore/latest.js';
import { listCheckpoints } from '../../lib/restore/list.js';
import { disk } from '../support/disk_binding.js';
import { nativeError } from '../support/fake_binding.js';
import { useRoot } from '../support/root.js';
import { writeCheckpoint } from '../support/stored_checkpoint.js';

vi.mock('../../lib/binding.js', () => import('../support/disk_binding.js'));

const root = useRoot();
const at = (...names: string[]): string => join(root.path, ...names);
const nameOf = (step: number, generation = 1): string =>
  `step-${String(step).padStart(10, '0')}${generation === 1 ? '' : `.g${generation}`}`;
const shard = 'model-00001-of-00001.safetensors';

function write(step: number, generation = 1, written = step): Promise<void> {
  const tensors = { w: { dtype: 'F32' as const, shape: [2, 2], data: new Uint8Array(16) } };
  const content = { step: written, ranks: [tensors], metadata: { step }, files: { 'config.json': '{}' } };
  return writeCheckpoint(at(nameOf(step, generation)), content);
}

const damage = (...names: string[]): void => {
  const path = at(...names);
  truncateSync(path, readFileSync(path).length - 1);
};

async function latest(checkData?: DataCheck): Promise<LatestStored> {
  const found = await openLatestStored(root.path, checkData);
  await found.opened.store.close();
  return found;
}

async function nothing(checkData?: DataCheck): Promise<string> {
  const error: unknown = await latest(checkData).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ name: 'SnapshardError', code: 'ERR_SNAPSHARD_NOT_FOUND' });
  return (error as Error).message;
}

const passedOver = ({ passedOver: all }: LatestStored) =>
  all.map(({ path, step, reason }) => {
    expect(path.startsWith(root.path)).toBe(true);
    return `${step} ${path.slice(root.path.length + 1)}: ${reason}`;
  });

/** Before the first call that touches such a path. */
function once(pattern: RegExp, action: () => unknown): void {
  disk.before = (call, path) => {
    if (!pattern.test(`${call} ${path}`)) return;
    disk.before = () => undefined;
    action();
  };
}

afterEach(() => {
  disk.before = () => undefined;
  expect(disk.open.size).toBe(0);
});

describe('the checkpoints of a root', () => {
  it('are listed by step, the newest last, with what their manifests say', async () => {
    for (const step of [200, 1000, 30]) await write(step);
    mkdirSync(at('.step-0000002000.abc.partial'));
    for (const name of ['.dead-1', 'step-3000', 'step-0000003000.g1', 'notes']) mkdirSync(at(name));
    const listed = await listCheckpoints(root.path);
    expect(listed.map(({ step }) => step)).toEqual([30, 200, 1000]);
    const { digest } = JSON.parse(readFileSync(at(nameOf(30), 'manifest.json'), 'utf8')) as { digest: string };
    expect(listed[0]).toEqual({
      ...{ path: at(nameOf(30)), name: nameOf(30), step: 30, generation: 1, damaged: undefined, digest },
      ...{ time: new Date('2026-11-20T12:00:00Z'), worldSize: 1, metadata: { step: 30 } },
    });
  });

  it('are listed once a step: the highest generation that is intact, and damaged ones above it', async () => {
    for (const generation of [1, 2, 3, 10]) await write(5, generation);
    await write(4);
    const listed = async () =>
      (await listCheckpoints(root.path)).map(
        ({ name, damaged }) => `${name} ${damaged === undefined ? 'intact' : 'damaged'}`,
      );
    expect(await listed()).toEqual([`${nameOf(4)} intact`, `${nameOf(5, 10)} intact`]);
    damage(nameOf(5, 10), 'manifest.json');
    damage(nameOf(5, 1), 'manifest.json');
    expect(await listed()).toEqual([`${nameOf(4)} intact`, `${nameOf(5, 3)} intact`, `${nameOf(5, 10)} damaged`]);
  });

  it('are damaged with a reason, each in its own way', async () => {
    for (const step of [1, 2, 3, 4]) await write(step, 1, step === 3 ? 9 : step);
    damage(nameOf(1), 'manifest.json');
    rmSync(at(nameOf(2), 'manifest.json'));
    symlinkSync(nameOf(4), at(nameOf(6)));
    writeFileSync(at(nameOf(5)), '');
    disk.before = (call, path) => {
      if (call === 'readFile' && path.includes(nameOf(4))) throw nativeError('system', 'EIO', 'read');
      // Native does not follow links.
      if (path.includes(nameOf(6))) throw nativeError('system', 'ELOOP', 'openat2');
    };
    const reasons = (await listCheckpoints(root.path)).map(({ damaged }) => damaged);
    expect(reasons).toHaveLength(6);
    expect(reasons[0]).toMatch(/^manifest.json is no intact manifest: it does not end in its digest/);
    expect(reasons[1]).toBe('It has no manifest.json.');
    expect(reasons[2]).toBe('Its manifest is that of step 9.');
    expect(reasons[3]).toMatch(/EIO/);
    expect(reasons[4]).toMatch(/ENOTDIR/);
    expect(reasons[5]).toMatch(/no regular file/);
  });

  it('are not called damaged when this process cannot read', async () => {
    await write(1);
    for (const errno of ['EMFILE', 'ENOMEM', 'ENOTCONN', 'ETIMEDOUT']) {
      disk.before = (call) => {
        if (call === 'readFile') throw nativeError('system', errno, 'openat2');
      };
      await expect(listCheckpoints(root.path)).rejects.toMatchObject({ errno });
      await expect(latest()).rejects.toMatchObject({ errno });
    }
  });

  it('are looked for again when one is replaced or removed meanwhile', async () => {
    for (const step of [1, 2]) await write(step);
    await write(7, 2);
    renameSync(at(nameOf(7, 2)), at('later'));
    await write(7);
    once(new RegExp(`readFile .*${nameOf(7)}/`), () => {
      renameSync(at('later'), at(nameOf(7, 2)));
      renameSync(at(nameOf(7)), at('.dead-1'));
    });
    expect((await listCheckpoints(root.path)).map(({ name }) => name)).toEqual([nameOf(1), nameOf(2), nameOf(7, 2)]);
    once(new RegExp(`readFile .*${nameOf(2)}/`), () => {
      rmSync(at(nameOf(2)), { recursive: true });
    });
    expect((await listCheckpoints(root.path)).map(({ name }) => name)).toEqual([nameOf(1), nameOf(7, 2)]);
  });

  it('are none in an empty root, and no root is an error', async () => {
    expect(await listCheckpoints(root.path)).toEqual([]);
    await expect(listCheckpoints(at('nowhere'))).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_NOT_FOUND' });
    await expect(listCheckpoints('')).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_INVALID_ARGUMENT' });
  });
});

describe('the latest checkpoint', () => {
  beforeEach(async () => {
    for (const step of [10, 20, 30]) await write(step);
  });

  it('is the newest where all are whole, and stays open', async () => {
    const { opened, passedOver: none } = await openLatestStored(root.path);
    expect(none).toEqual([]);
    expect(opened).toMatchObject({ path: at(nameOf(30)), followLinks: false, stored: { step: 30 } });
    expect([...disk.open.values()]).toEqual([at(nameOf(30))]);
    await opened.store.close();
  });

  it('is the newest that is whole, and those above it are named with the reason', async () => {
    await write(30, 2);
    await write(40);
    await write(50);
    mkdirSync(at('.step-0000000060.abc.partial'));
    mkdirSync(at('.step-0000000010.old.partial'));
    damage(nameOf(50), 'manifest.json');
    damage(nameOf(40), shard);
    rmSync(at(nameOf(30, 2), shard));
    const found = await latest();
    expect(found.opened.path).toBe(at(nameOf(30)));
    expect(passedOver(found)).toEqual([
      '60 .step-0000000060.abc.partial: It is half-written: a save is under way, or died.',
      expect.stringMatching(`^50 ${nameOf(50)}: manifest.json is no intact manifest: `),
      `40 ${nameOf(40)}: ${shard} is 4111 bytes long, not 4112.`,
      `30 ${nameOf(30, 2)}: ${shard} is missing.`,
    ]);
  });

  it.each([
    ['ranks/00000.json', /00000.json is \d+ bytes long, not \d+/],
    ['ranks/00000.digests', /digests is 31 bytes long, not 32/],
    ['config.json', /config.json is 1 bytes long, not 2/],
    ['model.safetensors.index.json', /index.json is/],
  ])('is not one with %s cut off or missing', async (name, reason) => {
    damage(nameOf(30), name);
    rmSync(at(nameOf(20), name));
    const found = await latest();
    expect(found.opened.path).toBe(at(nameOf(10)));
    expect(found.passedOver.map(({ step }) => step)).toEqual([30, 20]);
    expect(found.passedOver[0]!.reason).toMatch(reason);
    expect(found.passedOver[1]!.reason).toContain(`${name} is missing`);
  });

  it('is not one with a longer file, or a link in place of one', async () => {
    writeFileSync(at(nameOf(30), shard), Buffer.alloc(4113));
    renameSync(at(nameOf(20), shard), at('elsewhere'));
    symlinkSync(at('elsewhere'), at(nameOf(20), shard));
    const found = await latest();
    expect(found.opened.path).toBe(at(nameOf(10)));
    expect(found.passedOver.map(({ reason }) => reason)).toEqual([
      `${shard} is 4113 bytes long, not 4112.`,
      `${shard} is missing.`,
    ]);
  });

  it('is not one that a link leads to, though it was put there after a look', async () => {
    await writeCheckpoint(at('outside'), { step: 30, ranks: [{}], metadata: { secret: true }, files: {} });
    once(new RegExp(`openStoreBelow .*${nameOf(30)}$`), () => {
      rmSync(at(nameOf(30)), { recursive: true });
      symlinkSync(at('outside'), at(nameOf(30)));
    });
    const found = await latest();
    expect(found.opened.path).toBe(at(nameOf(20)));
    expect(passedOver(found)).toEqual([expect.stringMatching(/^30 .*ELOOP/)]);
  });

  it('is one whose data is intact, where that is asked for', async () => {
    const looked: (number | undefined)[] = [];
    const found = await latest(({ stored: { step } }) => {
      looked.push(step);
      if (step === 30) return Promise.resolve('chunk 1 of w is damaged');
      if (step === 20) throw new SnapshardError('ERR_SNAPSHARD_IO', 'EIO from read');
      return Promise.resolve(undefined);
    });
    expect(looked).toEqual([30, 20, 10]);
    expect(passedOver(found)).toEqual([`30 ${nameOf(30)}: chunk 1 of w is damaged`, `20 ${nameOf(20)}: EIO from read`]);
  });

  it('is not looked for further once the look at the data is given up', async () => {
    const reason = new Error('enough');
    await expect(latest(() => Promise.reject(reason))).rejects.toBe(reason);
  });

  it('is looked for again when one goes away meanwhile', async () => {
    await write(30, 2);
    renameSync(at(nameOf(30, 2)), at('later'));
    const replace = (): void => {
      renameSync(at('later'), at(nameOf(30, 2)));
      rmSync(at(nameOf(30)), { recursive: true });
    };
    for (const pattern of ['readFile .*manifest.json', 'readFile .*00000.json', 'list .*']) {
      once(new RegExp(pattern), replace);
      const found = await latest();
      expect([found.opened.path, found.passedOver]).toEqual([at(nameOf(30, 2)), []]);
      renameSync(at(nameOf(30, 2)), at('later'));
      await write(30);
    }
    let looks = 0;
    const found = await latest(() => {
      looks += 1;
      if (looks === 1) replace();
      if (looks === 1) throw new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', 'gone');
      return Promise.resolve(undefined);
    });
    expect([found.opened.path, looks]).toEqual([at(nameOf(30, 2)), 2]);
  });

  it('is given up where each is removed as it is found', async () => {
    const message = await nothing(() => {
      throw new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', 'gone');
    });
    expect(message).toContain('removed as fast as they were found');
  });

  it('is an error that names all passed over, where none is whole', async () => {
    for (const step of [10, 20, 30]) damage(nameOf(step), shard);
    expect(await nothing()).toMatch(new RegExp(`no checkpoint that is whole:(\n.*${shard} is 4111 bytes long.*){3}$`));
    for (let step = 40; step < 52; step += 1) cpSync(at(nameOf(10)), at(nameOf(step)), { recursive: true });
    expect(await nothing()).toMatch(/and 5 more$/);
  });

  it('is an error where there is none', async () => {
    for (const step of [10, 20, 30]) rmSync(at(nameOf(step)), { recursive: true });
    expect(await nothing()).toBe(`${root.path} holds no checkpoint.`);
    await writeCheckpoint(root.path);
    expect(await nothing()).toContain('openCheckpoint()');
    await expect(openLatestStored(at('nowhere'))).rejects.toMatchObject({ code: 'ERR_SNAPSHARD_NOT_FOUND' });
  });
});
