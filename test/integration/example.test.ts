import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkCheckpoint } from '../../examples/check.js';
import { killAndResume } from '../../examples/resume.js';
import { readCorpus } from '../../examples/train/corpus.js';
import { train, type TrainResult } from '../../examples/train/train.js';
import { Trainer } from '../../examples/train/trainer.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));

describe('training', () => {
  it('learns, draws the same numbers again, and never writes into arrays that it handed out', async () => {
    const text = readCorpus(repository);
    const [first, second] = [new Trainer(text), new Trainer(text)];
    await steps(first, 5);
    await steps(second, 5);
    const held = tensorsOf(first);
    const copies = new Map([...held].map(([name, data]) => [name, data.slice()]));
    expect(changed(tensorsOf(second), copies)).toEqual([]);

    const before = first.loss;
    await steps(first, 15);
    expect(first.loss).toBeLessThan(before - 0.3);
    expect(changed(held, copies)).toEqual([]);
    expect(changed(tensorsOf(first), copies)).toHaveLength(copies.size);
  });
});

describe('checkpoints of the example', () => {
  let root = '';
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'snapshard-example-'));
  });
  afterEach(() => rm(root, { recursive: true }));

  const run = (signal: AbortSignal): Promise<TrainResult> =>
    train({ root, repository, steps: 8, saveEvery: 2, resume: false, signal, print: () => {} });

  it('pass the checker, which finds each change of each file', async () => {
    const { saves } = await run(new AbortController().signal);
    expect(saves.map(({ step }) => step)).toEqual([2, 4, 6, 8]);
    expect((await readdir(root)).sort()).toEqual(['step-0000000006', 'step-0000000008']);
    const { path, bytes } = saves.at(-1)!;
    expect((await checkCheckpoint(path)).bytes).toBeGreaterThanOrEqual(bytes);

    for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
      if (entry.isDirectory()) continue;
      const file = join(entry.parentPath, entry.name);
      const good = await readFile(file);
      for (const bad of damaged(good)) {
        await writeFile(file, bad);
        await expect(checkCheckpoint(path), `${file} of ${good.length} bytes, now ${bad.length}`).rejects.toThrow();
      }
      await rm(file);
      await expect(checkCheckpoint(path), `${file} is gone`).rejects.toThrow();
      await writeFile(file, good);
    }
    await checkCheckpoint(path);
  });

  it('are continued, bit for bit, by another process after a kill', async () => {
    const { signal } = new AbortController();
    const interrupted = join(root, 'interrupted');
    await mkdir(interrupted);
    const { saves } = await train({ root, repository, steps: 8, saveEvery: 2, resume: false, signal, print: () => {} });
    const lines: string[] = [];
    const print = (line: string): void => void lines.push(line);
    const reference = saves.at(-1)!.path;
    const resumed = await killAndResume({ root: interrupted, steps: 8, saveEvery: 2, reference, signal, print });
    expect(lines.join('\n')).toMatch(/killed\n +continues at step [46], from step-/);
    expect(resumed).toBe(join(interrupted, 'step-0000000008'));
    await checkCheckpoint(resumed);
  });

  it('leave nothing half-written when the run is interrupted', async () => {
    const interrupt = new AbortController();
    const reason = new Error('interrupted');
    const ended = train({
      root,
      repository,
      steps: 8,
      saveEvery: 2,
      resume: false,
      signal: interrupt.signal,
      print: (line) => {
        if (line.trim().startsWith('step')) interrupt.abort(reason);
      },
    });
    await expect(ended).rejects.toBe(reason);
    for (const name of await readdir(root)) {
      expect(name).toMatch(/^step-\d{10}$/);
      await checkCheckpoint(join(root, name));
    }
  });
});

function* damaged(good: Buffer): Generator<Buffer> {
  for (const at of [0, Math.floor(good.length / 3), good.length - 1]) {
    const bad = Buffer.from(good);
    bad[at]! ^= 1;
    yield bad;
  }
  yield good.subarray(0, -1);
  yield Buffer.concat([good, Buffer.alloc(16)]);
}

async function steps(trainer: Trainer, count: number): Promise<void> {
  for (let step = 0; step < count; step++) await trainer.train(() => Promise.resolve());
}

function tensorsOf(trainer: Trainer): Map<string, Float32Array> {
  const { tensors } = trainer.checkpoint();
  return new Map([...(tensors as Map<string, { data: Float32Array }>)].map(([name, { data }]) => [name, data]));
}

/** Names of the tensors that differ; the matchers of vitest take minutes over as many numbers. */
function changed(tensors: Map<string, Float32Array>, others: Map<string, Float32Array>): string[] {
  const bytes = (data: Float32Array): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return [...tensors].filter(([name, data]) => !bytes(data).equals(bytes(others.get(name)!))).map(([name]) => name);
}
