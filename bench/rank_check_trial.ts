/**
 * One save of all ranks as rank 0 does it, in a process of its own, started by `benchRankCheck`: the manifests of the
 * others lie ready in `folder`; from handing in its own, rank 0 reads and checks them all, and publishes.
 */
import { readFileSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { binding } from '../lib/binding.js';
import { rankDigestsName, rankManifestName, ranksDirectory, sessionDirectoryName } from '../lib/layout/names.js';
import { Backoff } from '../lib/ranks/backoff.js';
import { systemClock } from '../lib/ranks/clock.js';
import { Leader } from '../lib/ranks/leader.js';
import { NativeStore } from '../lib/store/native_store.js';
import type { ListedContents } from '../lib/store/protocol.js';
import type { Store } from '../lib/store/store.js';
import { digestsBytes, sessionNonce, writerOf } from './rank_manifests.js';
import { peakResidentBytes, residentBytes } from '../lib/bench/resident.js';

export interface RankCheckResult {
  bytes: number;
  /** From rank 0's handing in to the checkpoint being published, durably. */
  seconds: number;
  /** Of the whole process, other threads' included. */
  cpuSeconds: number;
  /** Of the whole process, and before it began. */
  peakBytes: number;
  beforeBytes: number;
  /** Manifests read, and all other operations of rank 0 on the store in this save. */
  reads: number;
  otherOperations: number;
}

const run = '00';
const step = 1;

/** Notes the name of each operation. */
function counting(store: Store, operations: string[]): Store {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...inputs: unknown[]): unknown => {
        operations.push(String(name));
        return Reflect.apply(value, target, inputs);
      };
    },
  });
}

function listed(name: string, contents: Uint8Array): ListedContents {
  return { name, contents, bytes: contents.length, digest: binding.digest(contents) };
}

function makeLeader(store: Store, worldSize: number): Leader {
  const roster = Array.from({ length: worldSize }, (_, rank) => writerOf(rank));
  const session = { store, run, rank: 0, worldSize, writer: writerOf(0), nonce: sessionNonce, roster };
  const interruption = {
    check: () => undefined,
    raise: (reason: unknown) => {
      throw reason;
    },
    raised: new Promise<void>(() => undefined),
  };
  const key = { step, attempt: 1 };
  const parts = { session, key, interruption, backoff: new Backoff(systemClock, worldSize), margin_ms: 0 };
  return new Leader(parts, { step, time: new Date(), metadata: '{}', overwrite: false }, () => undefined);
}

async function measure(folder: string, worldSize: number): Promise<RankCheckResult> {
  const native = await NativeStore.open(folder);
  const operations: string[] = [];
  const store = counting(native, operations);
  await native.makeDirectory(sessionDirectoryName(run, sessionNonce), true);
  const own = readFileSync(join(folder, rankManifestName(0)));
  const leader = makeLeader(store, worldSize);
  await leader.prepare();
  for (const name of readdirSync(join(folder, ranksDirectory))) {
    if (join(ranksDirectory, name) === rankManifestName(0)) continue;
    renameSync(join(folder, ranksDirectory, name), join(folder, leader.path, ranksDirectory, name));
  }
  const beforeBytes = residentBytes();
  operations.length = 0;
  const cpuBefore = process.cpuUsage();
  const start_ms = performance.now();
  const digests = listed(rankDigestsName(0), new Uint8Array(digestsBytes));
  const manifest = listed(rankManifestName(0), own);
  const { name } = await leader.publish({ sideFiles: [], indexes: [], digests, manifest });
  const seconds = (performance.now() - start_ms) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  const reads = operations.filter((operation) => operation === 'readFile').length;
  const bytes = bytesBelow(join(folder, name));
  await native.close();
  return {
    bytes,
    seconds,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    peakBytes: peakResidentBytes(),
    beforeBytes,
    reads,
    otherOperations: operations.length - reads,
  };
}

function bytesBelow(folder: string): number {
  const { ranks } = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as {
    ranks: { manifest: { bytes: number } }[];
  };
  return ranks.reduce((sum, { manifest }) => sum + manifest.bytes, 0);
}

const [folder = '', ranks = ''] = process.argv.slice(2);
process.stdout.write(JSON.stringify(await measure(folder, Number(ranks))));
