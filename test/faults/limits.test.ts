import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { MiB } from '../support/bytes.js';
import { denying, saveUnder, tightOptions, whyNot, type FaultyArgument, type FaultyResult } from '../support/faulty_save.js';
import { useRoot } from '../support/root.js';

const root = useRoot();

function skipUnless(context: TestContext, launcher: string[]): void {
  const refused = whyNot(launcher);
  if (refused === undefined) return;
  console.warn(`skipped: ${refused}`);
  context.skip(refused);
}

/** Another directory of the root, with a checkpoint made under no limit. */
async function saveNormally(): Promise<FaultyResult> {
  const path = join(root.path, 'normal');
  mkdirSync(path);
  return saveUnder([], { root: path });
}

async function saveBelow(launcher: string[], more: Omit<FaultyArgument, 'root'> = {}): Promise<FaultyResult> {
  const path = join(root.path, 'limited');
  mkdirSync(path);
  return saveUnder(launcher, { root: path, ...more });
}

describe('a limit', () => {
  it.for([
    ['the pool is not registered', MiB, /not registered with io_uring.*RLIMIT_MEMLOCK/],
    ['the ring may be refused too', 4096, /RLIMIT_MEMLOCK/],
  ] as const)('of locked memory: %s, and why', async ([_title, bytes, reason], context) => {
    // A privileged user is exempt from the limit until the capability is gone.
    const launcher = ['setpriv', '--bounding-set', '-ipc_lock', 'prlimit', `--memlock=${bytes}`];
    skipUnless(context, launcher);
    const normal = await saveNormally();
    if (!normal.capabilities.ioUring.available) context.skip('no io_uring here');
    const limited = await saveBelow(launcher);
    expect(limited.saves[0]?.contents).toEqual(normal.saves[0]?.contents);
    expect(limited.saves[0]?.engineReason).toMatch(reason);
  });

  it('of descriptors: a save of many shards stays below it', async (context) => {
    skipUnless(context, ['prlimit', '--nofile=60']);
    const options = { ...tightOptions, shardBytes: 1 };
    const saves = [
      { step: 1, extraTensors: 40 },
      { step: 2, extraTensors: 40 },
    ];
    const limited = await saveBelow([], { options, saves, descriptorsLeft: 16 });
    for (const save of limited.saves) {
      expect(save.failure).toBeUndefined();
      expect(Object.keys(save.contents.shards)).toHaveLength(48);
    }
    expect(limited.saves[0]?.contents).toEqual(limited.saves[1]?.contents);
  });

  it.each([
    ['fallocate says so first', []],
    ['a write comes short, where nothing is set aside', ['fallocate=EOPNOTSUPP']],
    ['and through pwrite', ['fallocate=EOPNOTSUPP', 'io_uring_setup=ENOSYS']],
  ])('of a file: %s', async (_title, rules) => {
    const limit = 4 * MiB + 8192;
    const launcher = [...(rules.length === 0 ? [] : denying(...rules)), 'prlimit', `--fsize=${limit}`];
    const options = { ...tightOptions, shardBytes: 100 * MiB };
    const saves = [{ step: 1 }, { step: 2, extraBytes: 20 * MiB }];
    const limited = await saveBelow(launcher, { options, saves });
    for (const save of limited.saves) {
      expect(save.failure).toMatchObject({ code: 'ERR_SNAPSHARD_IO', errno: 'EFBIG' });
      expect(save.failure?.syscall).toBe(rules.length === 0 ? 'fallocate' : 'write');
    }
    expect(limited.names).toEqual([]);
  });
});
