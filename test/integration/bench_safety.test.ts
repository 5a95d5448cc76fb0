import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { descendants, processGone, smallRun, startBench, type RunningBench } from '../support/bench.js';
import { snapshard } from '../support/cli.js';
import { mountSmallDisk } from '../support/loop_mount.js';
import { namesIn, useRoot } from '../support/root.js';

const root = useRoot();
const MiB = 2 ** 20;

/** The name of what a run has made in the root, once some of its save is there. */
async function underWay({ ended }: RunningBench): Promise<string> {
  const state = { over: false };
  void ended.then(() => (state.over = true));
  for (;;) {
    const own = readdirSync(root.path).find((name) => name.startsWith('snapshard-bench-'));
    if (own !== undefined) {
      const all = readdirSync(join(root.path, own), { recursive: true, encoding: 'utf8' });
      if (all.some((name) => name.includes('.partial'))) return own;
    }
    if (state.over) throw new Error('it ended before it had saved anything');
    await sleep(5);
  }
}

// A save takes a while, and the next one comes at once.
const longRun = ['--bytes', '128MiB', '--repeat', '50', '--rest', '0', '--staging', '16MiB', '--save-only', '--no-limits'];

describe('a run that is ended', () => {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    it(`by ${signal} in mid-save leaves neither files nor processes`, async () => {
      writeFileSync(join(root.path, 'mine.txt'), 'mine');
      const run = startBench(root.path, ...longRun, '--ranks', '2', '--rivals', 'none', '--yes');
      await underWay(run);
      const children = descendants(run.child.pid!);
      expect(children.length).toBeGreaterThanOrEqual(2);
      run.child.kill(signal);
      expect(await run.ended, run.stderr()).toBe(code);
      expect(namesIn(root.path)).toEqual(['mine.txt']);
      for (const child of children) expect(processGone(child)).toBe(true);
    });
  }

  it('is not cut short by a second signal', async () => {
    const run = startBench(root.path, ...longRun, '--rivals', 'none', '--yes');
    await underWay(run);
    run.child.kill('SIGINT');
    run.child.kill('SIGINT');
    expect(await run.ended, run.stderr()).toBe(130);
    expect(namesIn(root.path)).toEqual([]);
  });

  it('by SIGKILL takes its processes along, and the next run names what it left, and leaves it', async () => {
    const run = startBench(root.path, ...longRun, '--rivals', 'none', '--yes');
    const left = await underWay(run);
    const children = descendants(run.child.pid!);
    run.child.kill('SIGKILL');
    await run.ended;
    for (const child of children) await expect.poll(() => processGone(child), { timeout: 10_000 }).toBe(true);
    expect(namesIn(root.path)).toEqual([left]);

    const { stderr, code } = await snapshard('bench', root.path, ...smallRun, '--save-only', '--no-limits', '--rivals', 'none', '--yes');
    expect(code, stderr).toBe(0);
    expect(stderr).toContain(`left by a run that was killed, and not touched: rm -r ${join(root.path, left)}\n`);
    expect(namesIn(root.path)).toEqual([left]);
  });

  it('names a run that is still under way', async () => {
    const run = startBench(root.path, ...longRun, '--rivals', 'none', '--yes');
    const own = await underWay(run);
    const { stderr } = await snapshard('bench', root.path, ...smallRun);
    expect(stderr).toMatch(new RegExp(`^another run of .* is under way in ${join(root.path, own)}`, 'm'));
    run.child.kill('SIGINT');
    await run.ended;
  });
});

describe('before anything is written', () => {
  it('says how much it will be, and does nothing where nobody can be asked', async () => {
    const { code, stderr } = await snapshard('bench', root.path, ...smallRun, '--rivals', 'none', '--save-only', '--no-limits');
    expect(code).toBe(2);
    expect(stderr).toMatch(/^writes 8\.00 MiB in all to /m);
    expect(stderr).toMatch(/^ERR_SNAPSHARD_INVALID_ARGUMENT: Nothing was written: .* --yes/m);
    expect(namesIn(root.path)).toEqual([]);
  });

  it('refuses a disk that is too small, and memory that is too little', async ({ skip }) => {
    const disk = mountSmallDisk(root.path, 32 * MiB);
    if (typeof disk === 'string') return skip(disk);
    try {
      const small = await snapshard('bench', disk.path, '--bytes', '64MiB', '--yes');
      expect(small.code).toBe(2);
      expect(small.stderr).toMatch(/^ERR_SNAPSHARD_NO_SPACE: .* free, .* fewer --bytes/m);
      expect(namesIn(disk.path)).toEqual(['lost+found']);
    } finally {
      disk.unmount();
    }
    const large = await snapshard('bench', root.path, '--ranks', '8', '--staging', '64TiB', '--yes');
    expect(large.code).toBe(2);
    expect(large.stderr).toMatch(/^ERR_SNAPSHARD_NO_MEMORY: .* of memory are free/m);
  });

  it('refuses folders and files that cannot be used', async () => {
    const file = join(root.path, 'file');
    writeFileSync(file, '');
    const folder = join(root.path, 'folder');
    mkdirSync(folder);
    const wrong: [code: string, ...words: string[]][] = [
      ['NOT_FOUND', join(root.path, 'nothing')],
      ['NOT_A_DIRECTORY', file],
      ['INVALID_ARGUMENT', folder, '--json', folder],
      ['NOT_FOUND', folder, '--html', join(root.path, 'nowhere', 'page.html')],
      ['NOT_FOUND', folder, '--like', join(root.path, 'nothing')],
      ['NOT_FOUND', '--compare', join(root.path, 'a.json'), join(root.path, 'b.json')],
      ['CORRUPT', '--compare', file, file],
      ['INVALID_ARGUMENT', '--compare', file],
      ['INVALID_ARGUMENT'],
    ];
    const results = await Promise.all(wrong.map(async ([expected, ...words]) => ({ expected, words, ...(await snapshard('bench', ...words)) })));
    for (const { expected, words, code, stderr } of results) {
      expect(stderr, words.join(' ')).toMatch(new RegExp(`^ERR_SNAPSHARD_${expected}: `, 'm'));
      expect(code).toBe(expected === 'CORRUPT' ? 1 : 2);
    }
    expect(namesIn(folder)).toEqual([]);
  });

  it('refuses options that contradict each other, or are none', async () => {
    const wrong = [
      ['--save-only', '--restore-only'],
      ['--bytes', '8MiB', '--fraction', '0.1'],
      ['--tensors', '4', '--model', '8B'],
      ['--tensors', '4', '--like', 'x'],
      ['--restore-only', '--interval', '5'],
      ['--restore-only', '--rivals', 'all'],
      ['--compare', 'a.json', 'b.json', '--ranks', '2'],
      ['--step-time', '3s'],
      ['--mtbf', '0'],
      ['--model', '9B'],
      ['--rivals', 'nobody'],
      ['--block', '3MiB'],
      ['--depth', '1000'],
      ['--ranks', '9'],
      ['--bytes', '1TB'],
      ['--rest', 'long'],
      ['--fraction', '2'],
      ['--blocks', '4MiB'],
    ];
    const results = await Promise.all(wrong.map(async (words) => ({ words, ...(await snapshard('bench', root.path, ...words, '--yes')) })));
    for (const { words, code, stderr } of results) {
      expect(stderr, words.join(' ')).toMatch(/^ERR_SNAPSHARD_INVALID_ARGUMENT: /m);
      expect(code).toBe(2);
    }
    expect(namesIn(root.path)).toEqual([]);
  });
});
