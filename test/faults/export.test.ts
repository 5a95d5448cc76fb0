import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { MiB } from '../support/bytes.js';
import { plainTensor, saveSolo, snapshard, snapshardUnder } from '../support/cli.js';
import { mountMemory, type MemoryMount } from '../support/loop_mount.js';
import { namesIn, useRoot } from '../support/root.js';

const root = useRoot();
let memory: MemoryMount | undefined;

// Registered after the hook that removes the root, and so called before it.
afterEach(() => {
  memory?.unmount();
  memory = undefined;
});

function save(): Promise<string> {
  const tensors = { small: plainTensor('F32', [100]), large: plainTensor('U8', [20 * MiB]) };
  return saveSolo(root.path, { step: 1, tensors, files: { 'config.json': '{}' } });
}

/** Leaves not a block free. */
function fill(path: string): void {
  const file = openSync(join(path, 'filler'), 'a');
  try {
    for (;;) writeSync(file, Buffer.alloc(4096));
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' });
  } finally {
    closeSync(file);
  }
}

describe('an export', () => {
  it.for([
    ['header', 1024],
    ['last piece', 20 * MiB],
  ] as const)('that cannot write its %s says so, and leaves nothing', async ([, bytes]) => {
    const path = await save();
    const result = await snapshardUnder(['prlimit', `--fsize=${bytes}`], 'export', path, join(root.path, 'out'));
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toMatch(/^ERR_SNAPSHARD_IO: .*EFBIG from write on .*\.safetensors.*\n$/);
    expect(namesIn(root.path)).toEqual(['step-0000000001']);
  });

  it('to a disk that is full says so, and leaves nothing', async (context) => {
    const path = await save();
    const mounted = mountMemory(root.path, 4 * MiB);
    if (typeof mounted === 'string') {
      console.warn(`skipped: ${mounted}`);
      return context.skip(mounted);
    }
    memory = mounted;
    fill(mounted.path);
    const { code, stdout, stderr } = await snapshard('export', path, join(mounted.path, 'out'));
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^ERR_SNAPSHARD_NO_SPACE: .*ENOSPC from write on .*\.safetensors\. Free space there, or choose another.*\n$/);
    expect(namesIn(mounted.path)).toEqual(['filler']);
  });
});
