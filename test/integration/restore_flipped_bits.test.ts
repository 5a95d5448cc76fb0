import fc from 'fast-check';
import { type Checkpoint, CheckpointWriter, openCheckpoint, SnapshardError, type Tensor } from 'snapshard';
import { describe, expect, it } from 'vitest';
import { MiB, randomBytes } from '../support/bytes.js';
import { saveAsRanks, smallWriter } from '../support/restored.js';
import { useRoot } from '../support/root.js';
import { anyBit, filesOf, type FlippedBit, type Owner, whileFlipped } from '../support/victim.js';

const root = useRoot();
const readers = { stagingBytes: 8 * MiB, blockBytes: 2 * MiB };
const sideFile = 'config.json';
const isManifest = (name: string): boolean => name === 'manifest.json' || /^ranks\/\d+\.json$/.test(name);

async function expectCorrupt(reading: Promise<unknown>, ...told: string[]): Promise<string> {
  const error: unknown = await reading.then(
    () => expect.fail('What is damaged was handed out.'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SnapshardError);
  expect(error).toMatchObject({ code: 'ERR_SNAPSHARD_CORRUPT' });
  const { message } = error as SnapshardError;
  for (const part of told) expect(message).toContain(part);
  return message;
}

/** A checkpoint on disk, open all the time, and all ways in which damage to it must show. */
class Watched {
  readonly #path: string;
  readonly #checkpoint: Checkpoint;
  readonly #names: readonly string[];

  constructor(checkpoint: Checkpoint) {
    this.#path = checkpoint.path;
    this.#checkpoint = checkpoint;
    this.#names = [...checkpoint.tensors.keys()];
  }

  async expectDetected({ file, offset }: FlippedBit): Promise<void> {
    const owner = file.owners.find(({ begin, end }) => begin <= offset && offset < end);
    const { damaged } = await this.#checkpoint.verify();
    expect(damaged.map((damage) => [damage.file, damage.tensor])).toEqual([[file.name, owner?.name]]);
    const [{ offset: begin, bytes }] = damaged as [(typeof damaged)[number]];
    if (owner !== undefined) await this.#expectTensor(file.name, owner, offset, { begin, bytes });
    else if (file.owners.length > 0) expect(begin).toBe(0);
    else if (isManifest(file.name)) await expectCorrupt(openCheckpoint(this.#path), this.#path, file.name);
    else if (file.name === sideFile) await expectCorrupt(this.#checkpoint.file(sideFile), sideFile);
  }

  async #expectTensor(file: string, owner: Owner, offset: number, found: { begin: number; bytes: number }): Promise<void> {
    const begin = owner.begin + Math.floor((offset - owner.begin) / MiB) * MiB;
    expect(found).toEqual({ begin, bytes: Math.min(owner.end - begin, MiB) });
    const message = await expectCorrupt(this.#checkpoint.readAll(), JSON.stringify(owner.name), file, `byte ${begin}`);
    const others = this.#names.filter((name) => name !== owner.name);
    expect(others.filter((name) => message.includes(JSON.stringify(name)))).toEqual([]);
    expect(await this.#checkpoint.readAll({ names: others })).toHaveLength(others.length);
  }
}

async function tryBits(path: string, trials: number): Promise<void> {
  await using checkpoint = await openCheckpoint(path, readers);
  const watched = new Watched(checkpoint);
  const property = fc.asyncProperty(anyBit(filesOf(path)), (flipped) =>
    whileFlipped(path, flipped, () => watched.expectDetected(flipped)),
  );
  await fc.assert(property, { numRuns: trials });
  expect((await checkpoint.verify()).damaged).toEqual([]);
  expect((await checkpoint.readAll()).size).toBe(checkpoint.tensors.size);
}

const u8 = (bytes: number, group = 'model'): Tensor => ({ dtype: 'U8', shape: [bytes], data: randomBytes(bytes), group });
const small = { none: 0, one: 1, few: 5, page: 4096, more: 4097, some: 9000 };

async function saveAlone(tensors: readonly [string, Tensor][]): Promise<string> {
  await using writer = await CheckpointWriter.open(root.path, smallWriter);
  return (await writer.save({ step: 1, tensors, files: { [sideFile]: '{"layers":12}' }, metadata: { loss: 0.5 } })).path;
}

/** Slices of rows, a replica, and tensors of its own. */
function ofRank(rank: number): [string, Tensor][] {
  const rows = { dtype: 'F32', shape: [2, 50], globalShape: [6, 50], origin: [2 * rank, 0] } as const;
  return [
    ['rows', { ...rows, data: randomBytes(400) }],
    [`own.${rank}`, u8(3000 + rank, 'optimizer')],
    ['replica', { dtype: 'I64', shape: [3], data: new BigInt64Array(3), replicas: 'all' }],
  ];
}

describe('any single flipped bit is detected, and what it damages is named', () => {
  it('in a checkpoint of one rank', { timeout: 240_000 }, async () => {
    const tensors = Object.entries(small).map(([name, bytes]): [string, Tensor] => [name, u8(bytes)]);
    await tryBits(await saveAlone([...tensors, ['moment', u8(100, 'optimizer')]]), 4500);
  });

  it('in a checkpoint of several ranks', { timeout: 240_000 }, async () => {
    const { path } = await saveAsRanks(root.path, 3, ofRank);
    await tryBits(path, 4500);
  });

  it('in tensors of about a chunk, and of several', { timeout: 240_000 }, async () => {
    const sizes = [MiB - 1, MiB, MiB + 1, 2 * MiB + 100];
    await tryBits(await saveAlone(sizes.map((bytes) => [`of ${bytes} bytes`, u8(bytes)])), 1000);
  });
});
