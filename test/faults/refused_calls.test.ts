import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { denying, saveUnder, whyNot, type FaultyResult, type FaultySave } from '../support/faulty_save.js';
import { diskFolder, useRoot } from '../support/root.js';

const root = useRoot();
const filtersRefused = whyNot(denying('openat2=ENOSYS'));
if (filtersRefused !== undefined) console.warn(`skipped: ${filtersRefused}`);

describe.skipIf(filtersRefused !== undefined)('a kernel that refuses', () => {
  let normalRoot: string;
  let normal: FaultyResult;

  beforeAll(async () => {
    normalRoot = mkdtempSync(join(diskFolder(), 'snapshard-test-'));
    normal = await saveUnder([], { root: normalRoot });
  });

  afterAll(() => {
    rmSync(normalRoot, { recursive: true, force: true });
  });

  /** Saves with these calls refused: the same bytes and digests as without. */
  async function saveWithout(...rules: string[]): Promise<FaultySave & FaultyResult> {
    return sameAsNormal(await saveUnder(denying(...rules), { root: root.path }));
  }

  function sameAsNormal(result: FaultyResult): FaultySave & FaultyResult {
    expect(result.failure).toBeUndefined();
    const [save] = result.saves;
    expect(save?.failure).toBeUndefined();
    expect(save?.contents).toEqual(normal.saves[0]?.contents);
    expect(result.names).toEqual(['step-0000000001']);
    return { ...result, ...save! };
  }

  it('nothing: the comparison has something to compare', () => {
    const contents = normal.saves[0]?.contents;
    expect(Object.keys(contents?.shards ?? {}).length).toBeGreaterThan(3);
    expect(Object.keys(contents?.tensors ?? {})).toHaveLength(8);
    expect(normal.capabilities.memoryReader).toBe('process_vm_readv');
  });

  it.each(['EPERM', 'ENOSYS'])('io_uring_setup with %s: pwrite, and the reason', async (error) => {
    const result = await saveWithout(`io_uring_setup=${error}`);
    expect(result.engine).toBe('pwrite');
    expect(result.engineReason).toContain('io_uring is not available: io_uring_setup');
    expect(result.capabilities.ioUring).toMatchObject({
      available: false,
      reason: expect.stringMatching(error === 'EPERM' ? /sandbox/ : /kernel/) as string,
    });
    const demanded = await saveUnder(denying(`io_uring_setup=${error}`), {
      root: root.path,
      options: { engine: 'io_uring' },
    });
    expect(demanded.failure).toMatchObject({ code: 'ERR_SNAPSHARD_IO_URING_UNAVAILABLE', errno: error });
  });

  it('io_uring_enter, with a ring that can be made and not be used', async (context) => {
    // From version 22 on, Node.js has a ring of its own and ends where it cannot use it.
    const launcher = [...denying('io_uring_enter=EPERM'), process.execPath, '-e', 'setTimeout(() => {}, 1)'];
    if (whyNot(launcher) !== undefined) context.skip('Node.js itself needs io_uring_enter');
    const result = await saveWithout('io_uring_enter=EPERM');
    expect(result.engine).toBe('pwrite');
    expect(result.engineReason).toContain('io_uring_enter');
    expect(result.capabilities.ioUring.available).toBe(false);
  });

  it('io_uring_register: the ring works, with no registered pool', async (context) => {
    if (!normal.capabilities.ioUring.available) context.skip('no io_uring here');
    const result = await saveWithout('io_uring_register=EPERM');
    expect(result.engineReason).toContain('the pool is not registered with io_uring');
    expect(result.engine).toBe(normal.saves[0]?.engine);
  });

  it.each(['ENOSYS', 'EPERM'])('openat2 with %s', async (error) => {
    await saveWithout(`openat2=${error}`);
  });

  it('process_vm_readv: /proc/self/mem', async () => {
    const result = await saveWithout('process_vm_readv=EPERM');
    expect(result.capabilities.memoryReader).toBe('/proc/self/mem');
  });

  it('process_vm_readv, with no /proc: the JavaScript thread copies', async (context) => {
    const hideProc = ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /proc && exec "$0" "$@"'];
    const refused = whyNot(hideProc);
    if (refused !== undefined) {
      console.warn(`skipped: ${refused}`);
      context.skip(refused);
    }
    const launcher = [...hideProc, ...denying('process_vm_readv=EPERM')];
    const saves = [{ step: 1 }, { step: 2, detach: true }, { step: 3 }];
    const result = await saveUnder(launcher, { root: root.path, saves });
    expect(result.capabilities.memoryReader).toBe('javascript-thread');
    expect(result.saves[0]?.contents).toEqual(normal.saves[0]?.contents);
    expect(result.saves[1]?.failure?.code).toBe('ERR_SNAPSHARD_SOURCE_DETACHED');
    expect(result.saves[2]?.contents).toEqual(normal.saves[0]?.contents);
    expect(result.names).toEqual(['step-0000000001', 'step-0000000003']);
  });

  it('fallocate', async () => {
    await saveWithout('fallocate=EOPNOTSUPP');
  });

  it.each(['EINVAL', 'ENOSYS'])('renameat2 with %s: nothing is replaced all the same', async (error) => {
    const saves = [{ step: 1 }, { step: 1 }, { step: 1, overwrite: true }];
    const result = await saveUnder(denying(`renameat2=${error}`), { root: root.path, saves });
    expect(result.saves[0]?.contents).toEqual(normal.saves[0]?.contents);
    expect(result.saves[1]?.failure?.code).toBe('ERR_SNAPSHARD_STEP_EXISTS');
    expect(result.saves[2]?.contents).toEqual(normal.saves[0]?.contents);
    expect(result.names).toEqual(['step-0000000001.g2']);
  });

  it('statx: whether writes are direct is not known', async () => {
    const result = await saveWithout('statx=ENOSYS');
    if (normal.saves[0]?.direct !== 'yes') return;
    expect(result.direct).toBe('unknown');
    expect(result.directReason).toContain('does not report an alignment');
  });

  it('direct writes: buffered ones, and why', async () => {
    const options = { engine: 'pwrite', blockBytes: 16 * 2 ** 20, stagingBytes: 32 * 2 ** 20 } as const;
    const result = await saveUnder(denying('pwrite64/4096=EINVAL'), { root: root.path, options });
    const [save] = result.saves;
    expect(save?.contents.tensors).toEqual(normal.saves[0]?.contents.tensors);
    if (normal.saves[0]?.direct !== 'yes') return;
    expect(save).toMatchObject({ direct: 'no', directReason: expect.stringContaining('refused') as string });
  });

  it('all of these at once', async () => {
    const result = await saveWithout(
      'io_uring_setup=EPERM',
      'openat2=EPERM',
      'process_vm_readv=EPERM',
      'fallocate=EOPNOTSUPP',
      'renameat2=ENOSYS',
      'statx=EPERM',
      'sync_file_range=ENOSYS',
      'flock=ENOSYS',
    );
    expect(result.engine).toBe('pwrite');
    expect(result.capabilities.memoryReader).toBe('/proc/self/mem');
  });
});
