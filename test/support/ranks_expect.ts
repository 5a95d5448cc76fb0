import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Dtype, SnapshardErrorCode } from 'snapshard';
import { expect } from 'vitest';
import { checkCheckpoint } from '../../examples/check.js';
import { readShard, shardsOf } from './read_back.js';
import { valuesOf, type WorldRequest } from './ranks.js';
import { patternOf, type RankPublished, type RankReply } from './ranks_wire.js';
import { namesIn } from './root.js';

export interface Expected {
  code: SnapshardErrorCode;
  /** Default: any. */
  ranks?: readonly number[];
  /** A text in the message. */
  says?: string;
}

/** Every one of these ranks was told the same. */
export function expectFailed(replies: readonly RankReply<unknown>[], { code, ranks, says = '' }: Expected): void {
  const failure = { code, ...(ranks && { ranks }), message: expect.stringContaining(says) as string };
  expect(replies).toMatchObject(replies.map(() => ({ failure })));
}

/** Every one of these ranks was told of the same checkpoint. */
export function expectSamePublished(replies: readonly RankReply<RankPublished>[]): RankPublished {
  const published = valuesOf(replies);
  expect(new Set(published.map(({ digest }) => digest)).size).toBe(1);
  expect(new Set(published.map(({ path }) => path)).size).toBe(1);
  return published[0]!;
}

/** The checkpoint is what the ranks were told of, whole, and holds the bytes that they passed. */
export async function expectWhole(
  replies: readonly RankReply<RankPublished>[],
  { tensors }: Pick<WorldRequest, 'tensors'>,
  worldSize = replies.length,
): Promise<string> {
  const { path, digest } = expectSamePublished(replies);
  const manifest = readFileSync(join(path, 'manifest.json'), 'utf8');
  expect(manifest.endsWith(`,"digest":"${digest}"}\n`)).toBe(true);
  await checkCheckpoint(path);
  expectContents(path, tensors, worldSize);
  return path;
}

/** Nothing of sessions, saves under way or given up is left. */
export function expectOnly(root: string, names: readonly string[]): void {
  expect(namesIn(root)).toEqual([...names].sort());
}

interface Whole {
  dtype: Dtype;
  globalShape: readonly number[];
}

/** That the slices cover each tensor is for `checkCheckpoint` to see. */
function expectContents(path: string, tensors: WorldRequest['tensors'], worldSize: number): void {
  const wholes = new Map<string, Whole>();
  for (let rank = 0; rank < worldSize; rank++) {
    for (const [name, { dtype, shape, globalShape = shape }] of tensors(rank, worldSize)) {
      wholes.set(name, { dtype, globalShape });
    }
  }
  const seen = new Set<string>();
  for (const shard of shardsOf(path)) {
    const origins = originsIn(join(path, shard));
    for (const [name, { dtype, shape, bytes }] of readShard(join(path, shard))) {
      const whole = wholes.get(name);
      expect({ name, dtype }).toEqual({ name, dtype: whole?.dtype });
      const slice = { dtype: dtype as Dtype, shape, globalShape: whole!.globalShape, origin: origins[name]! };
      expect(bytes.equals(patternOf(name, slice)), `${name} in ${shard}`).toBe(true);
      seen.add(name);
    }
  }
  expect([...seen].sort()).toEqual([...wholes.keys()].sort());
}

/** Where each slice of a shard begins, as PyTorch reads it. */
function originsIn(path: string): Record<string, number[]> {
  const file = readFileSync(path);
  const header = JSON.parse(file.toString('utf8', 8, 8 + Number(file.readBigUInt64LE(0)))) as {
    __metadata__: { DCP_SHARDING_INFO: string };
  };
  const info = JSON.parse(header.__metadata__.DCP_SHARDING_INFO) as Record<string, { saved_offsets: number[] }>;
  return Object.fromEntries(Object.entries(info).map(([name, { saved_offsets }]) => [name, saved_offsets]));
}

/** Names of the files of a checkpoint, those of its ranks included. */
export function filesIn(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
    .sort();
}
