import { readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { probeCopy, probeRead, probeWrite } from '../../lib/bench/probe.js';
import { capabilities } from '../../lib/capabilities.js';
import type { EngineChoice } from '../../lib/binding.js';
import { MiB } from '../support/bytes.js';
import { runChild } from '../support/child.js';
import { countsTicks, openFiles } from '../support/process_state.js';
import { namesIn, useRoot } from '../support/root.js';

const root = useRoot();
const engines: EngineChoice[] = capabilities().ioUring.available ? ['io_uring', 'pwrite'] : ['pwrite'];
const ways = engines.flatMap((engine) => [true, false].map((direct) => [engine, direct] as const));
const blockBytes = MiB;

const refusal = (code: string, message: RegExp | string = ''): unknown =>
  expect.objectContaining({ name: 'SnapshardError', code, message: expect.stringMatching(message) as string });

describe('the probe of writing', () => {
  it.each(ways)('leaves a file of all its bytes, no page of it like another: %s, direct %s', async (engine, direct) => {
    const bytes = 21 * MiB + 5;
    const { seconds, writtenSeconds, path, ...rest } = await probeWrite(root.path, { bytes, blockBytes, engine, direct });
    expect(rest).toMatchObject({ bytes, how: expect.stringContaining(direct ? `${engine}, ` : 'pwrite, direct no') as string });
    expect(writtenSeconds).toBeGreaterThan(0);
    expect(seconds).toBeGreaterThanOrEqual(writtenSeconds);
    if (!countsTicks()) expect(rest.cpuSeconds).toBeGreaterThan(0);
    expect(namesIn(root.path).map((name) => join(root.path, name))).toEqual([path]);
    const contents = readFileSync(path);
    expect(contents).toHaveLength(bytes);
    const pages = Array.from({ length: Math.ceil(bytes / 4096) }, (_, page) => contents.subarray(page * 4096, (page + 1) * 4096));
    expect(new Set(pages.map((page) => page.toString('latin1'))).size).toBe(pages.length);
    expect(pages.slice(0, -1).every((page) => new Set(page).size > 100)).toBe(true);
    const read = await probeRead(path, { blockBytes, engine, direct });
    expect(read).toMatchObject({ bytes, how: rest.how });
    expect(read.seconds).toBeGreaterThan(0);
  });

  it('writes files beside each other, and less than a block', async () => {
    const sizes = [1, 4096, MiB];
    const written = await Promise.all(sizes.map((bytes) => probeWrite(root.path, { bytes })));
    expect(written.map(({ path }) => statSync(path).size)).toEqual(sizes);
  });

  it('takes its file away when it is aborted, once what is in flight has landed', async () => {
    const reason = new Error('enough');
    // The last thread that knew of an earlier test's root may let go of it only now.
    const held = (): string[] => openFiles().filter((name) => !name.endsWith(' (deleted)'));
    const before = held();
    const options = { bytes: 512 * MiB, blockBytes };
    await expect(probeWrite(root.path, { ...options, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    for (const after_ms of [0, 5, 10, 20]) {
      const controller = new AbortController();
      const probe = probeWrite(root.path, { ...options, signal: controller.signal });
      setTimeout(() => {
        controller.abort(reason);
      }, after_ms);
      await expect(probe).rejects.toBe(reason);
      expect(namesIn(root.path)).toEqual([]);
    }
    expect(held()).toEqual(before);
  });

  it('refuses what it cannot do, with a code', async () => {
    const file = join(root.path, 'file');
    writeFileSync(file, 'x');
    const bytes = MiB;
    await expect(probeWrite(join(root.path, 'missing'), { bytes })).rejects.toEqual(refusal('ERR_SNAPSHARD_NOT_FOUND'));
    await expect(probeWrite(file, { bytes })).rejects.toEqual(refusal('ERR_SNAPSHARD_NOT_A_DIRECTORY'));
    await expect(probeWrite(root.path, { bytes: 2 ** 52 })).rejects.toMatchObject({
      name: 'SnapshardError',
      // NFS 3 sets nothing aside.
      syscall: expect.stringMatching(/^(fallocate|write)$/) as string,
    });
    expect(namesIn(root.path)).toEqual(['file']);
  });

  it.each([
    ['bytes', { bytes: 0 }],
    ['bytes', { bytes: 1.5 }],
    ['bytes', {}],
    ['blockBytes', { bytes: 1, blockBytes: 3 }],
    ['queueDepth', { bytes: 1, queueDepth: 0 }],
    ['engine', { bytes: 1, engine: 'aio' }],
    ['direct', { bytes: 1, direct: 1 }],
    ['signal', { bytes: 1, signal: {} }],
    ['depth', { bytes: 1, depth: 3 }],
    ['the options', null],
  ])('refuses a wrong %s', async (name, options) => {
    await expect(probeWrite(root.path, options as never)).rejects.toEqual(
      refusal('ERR_SNAPSHARD_INVALID_ARGUMENT', name),
    );
  });
});

describe('the probe of reading', () => {
  it('reads files that others wrote, empty ones and by links too', async () => {
    const file = join(root.path, 'file');
    writeFileSync(file, Buffer.alloc(3 * MiB + 17, 'x'));
    symlinkSync(file, join(root.path, 'link'));
    writeFileSync(join(root.path, 'empty'), '');
    expect(await probeRead(file)).toMatchObject({ bytes: 3 * MiB + 17 });
    expect(await probeRead(join(root.path, 'link'))).toMatchObject({ bytes: 3 * MiB + 17 });
    expect(await probeRead(join(root.path, 'empty'))).toMatchObject({ bytes: 0 });
  });

  it('refuses what it cannot read, with a code', async () => {
    await expect(probeRead(join(root.path, 'missing'))).rejects.toEqual(refusal('ERR_SNAPSHARD_NOT_FOUND'));
    await expect(probeRead(root.path)).rejects.toMatchObject({ name: 'SnapshardError' });
    await expect(probeRead('/dev/zero')).rejects.toMatchObject({ name: 'SnapshardError' });
    await expect(probeRead('')).rejects.toEqual(refusal('ERR_SNAPSHARD_INVALID_ARGUMENT', '`path`'));
    await expect(probeRead(7 as never)).rejects.toEqual(refusal('ERR_SNAPSHARD_INVALID_ARGUMENT', '`path`'));
  });

  it('can be aborted', async () => {
    const { path } = await probeWrite(root.path, { bytes: 128 * MiB });
    const controller = new AbortController();
    const probe = probeRead(path, { blockBytes, queueDepth: 1, signal: controller.signal });
    setTimeout(() => {
      controller.abort();
    }, 3);
    await expect(probe).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('the probe of memory', () => {
  it.each([[1, 1], [1, 10 * MiB + 3], [3, 10 * MiB + 3]])('copies, with %d threads, %d bytes', async (threads, bytes) => {
    const copied = await probeCopy({ bytes, threads });
    expect(copied).toMatchObject({ bytes });
    expect(copied.seconds).toBeGreaterThan(0);
  });

  it('can be aborted, and refuses wrong options and more than there is', async () => {
    const controller = new AbortController();
    const probe = probeCopy({ bytes: 256 * MiB, signal: controller.signal });
    setTimeout(() => {
      controller.abort();
    }, 20);
    await expect(probe).rejects.toMatchObject({ name: 'AbortError' });
    for (const options of [{}, null, { bytes: -1 }, { bytes: 1, threads: 0 }, { bytes: 1, thread: 1 }]) {
      await expect(probeCopy(options as never)).rejects.toEqual(refusal('ERR_SNAPSHARD_INVALID_ARGUMENT'));
    }
    await expect(probeCopy({ bytes: 2 ** 50 })).rejects.toEqual(refusal('ERR_SNAPSHARD_NO_MEMORY'));
    await expect(probeCopy({ bytes: 2 ** 53 - 1 })).rejects.toEqual(refusal('ERR_SNAPSHARD_INVALID_ARGUMENT'));
  });
});

it('runs in workers, which may end at any moment, and so may the process', async () => {
  const child = await runChild('probes', { folder: root.path, rounds: 5 });
  expect([child.code, child.signal, child.messages], child.output).toEqual([0, null, ['done']]);
});
