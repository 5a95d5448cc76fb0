import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { binding } from '../lib/binding.js';
import { fillTensor } from '../lib/bench/data.js';
import { workloadTensors } from '../lib/bench/workload.js';
import type { CheckpointWriter, Lease, Published, Save, Tensor } from '../lib/index.js';
import { headerJsonBytes, lengthWordBytes, parseHeader } from '../lib/layout/header_reader.js';
import { parseIndex } from '../lib/layout/hf_index_reader.js';
import { encodeManifest } from '../lib/layout/manifest.js';
import { parseManifest } from '../lib/layout/manifest_reader.js';
import { buildPlan, planMatches } from '../lib/layout/plan.js';
import { fillRankManifest } from '../lib/layout/rank_manifest.js';
import { parseRankManifest } from '../lib/layout/rank_manifest_reader.js';
import { orderSegments } from '../lib/layout/segments.js';
import { normalizeTensors } from '../lib/tensor/normalize.js';
import { MiB } from './units.js';

/** One inner part of a save or of opening a checkpoint. */
export interface Step {
  name: string;
  /** What it goes through, where its rate says more than its time. */
  bytes?: number;
  /** How long it took, in milliseconds, where it is not the whole of the call that counts. */
  run: () => Promise<number | undefined> | undefined;
}

const digest = (bytes: Uint8Array): string => binding.digest(bytes);
const planOptions = { shardBytes: Infinity };
const digestBytes = 16;

/** What the JavaScript thread does for a save of these tensors, before and after the bytes move. */
export function planSteps(tensors: ReadonlyMap<string, Tensor>): Step[] {
  const { specs, sources } = normalizeTensors(tensors, () => undefined);
  const plan = buildPlan(specs, planOptions);
  const sliceDigests = new Uint8Array(plan.sliceBytes.length * digestBytes);
  const fileDigests = new Uint8Array(plan.files.length * digestBytes);
  const digests = { name: 'ranks/00000.digests', bytes: sliceDigests.length, digest: digest(sliceDigests) };
  const facts = { writer: 'bench', step: 1, save: 'bench', worldSize: 1, sideFiles: [] };
  const filled = { ...facts, sliceDigests, fileDigests, digests };
  return [
    step('normalise', () => void normalizeTensors(tensors, () => undefined)),
    step('plan and headers', () => void buildPlan(specs, planOptions)),
    step('plan found again', () => void planMatches(plan, specs, planOptions)),
    step('order segments', () => void orderSegments(plan, sources)),
    step('rank manifest, first', () => fillRankManifest(buildPlan(specs, planOptions), filled, digest)),
    step('rank manifest, again', () => fillRankManifest(plan, filled, digest)),
  ];
}

/** What a reader does with the files of a checkpoint, and a writer last: from one that was really published. */
export async function parseSteps({ path }: Published): Promise<Step[]> {
  const read = (name: string): Uint8Array => readFileSync(join(path, name));
  const shard = read('model-00001-of-00001.safetensors');
  const header = shard.subarray(lengthWordBytes, lengthWordBytes + headerJsonBytes(shard, shard.length));
  const rankName = 'ranks/00000.json';
  const [rankManifest, manifest, index] = [rankName, 'manifest.json', 'model.safetensors.index.json'].map(read) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const content = await parseManifest(manifest, digest);
  const metadata = JSON.stringify(content.metadata);
  return [
    step('manifest', () => void encodeManifest({ ...content, metadata }, digest)),
    step('parse manifest', () => parseManifest(manifest, digest)),
    step('parse rank manifest', () => parseRankManifest(rankManifest, digest, rankName), rankManifest.length),
    step('parse header', () => parseHeader(header, shard.length), header.length),
    step('parse index', () => parseIndex(index), index.length),
  ];
}

const hashBytes = MiB;
const gatherSpec = { kind: 'tensors', count: 64, bytes: 64 * MiB, ranks: 1, seed: 1 } as const;

/** How fast bytes are hashed, and how fast they are copied and hashed into a pool that has room for all of them. */
export function byteSteps(writer: CheckpointWriter): { steps: Step[]; lease: Lease } {
  const text = new Uint8Array(hashBytes);
  const lease = writer.allocate(gatherSpec.bytes);
  const gather = (buffer: ArrayBuffer): (() => Promise<number>) => {
    const tensors = drawn(buffer);
    return () => untilStaged(() => writer.save({ step: 1, tensors, overwrite: true }));
  };
  const { bytes } = gatherSpec;
  const steps: Step[] = [
    step('hash 1 MiB', () => void binding.digest(text), hashBytes),
    { name: 'gather 64 MiB, leases', run: gather(lease.buffer), bytes },
    { name: 'gather 64 MiB, ArrayBuffers', run: gather(new ArrayBuffer(bytes)), bytes },
  ];
  return { steps, lease };
}

function drawn(buffer: ArrayBuffer): Map<string, Tensor> {
  let at = 0;
  const entries = workloadTensors(gatherSpec, 0).map((tensor): [string, Tensor] => {
    const data = new Uint8Array(buffer, at, tensor.bytes);
    at += tensor.bytes;
    fillTensor(tensor, data, gatherSpec.seed);
    return [tensor.name, { dtype: tensor.dtype, shape: tensor.shape, data }];
  });
  return new Map(entries);
}

async function untilStaged(start: () => Save): Promise<number> {
  const startedAt_ms = performance.now();
  const save = start();
  await save.staged;
  const staged_ms = performance.now() - startedAt_ms;
  await save;
  return staged_ms;
}

/** A step of which all that it calls counts. */
function step(name: string, call: () => unknown, bytes?: number): Step {
  const run = (): Promise<undefined> | undefined => {
    const result = call();
    return result instanceof Promise ? result.then(() => undefined) : undefined;
  };
  return { name, run, ...(bytes === undefined ? {} : { bytes }) };
}
