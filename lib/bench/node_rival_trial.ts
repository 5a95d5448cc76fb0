/** How a Node program without a library for it saves: one safetensors file, its tensors one after the other, synced. */
import { createWriteStream } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { answerParent, type Parent } from './child.js';
import { forgetPeak, peakResidentBytes, residentBytes } from './resident.js';
import type { RankSample } from './result.js';
import { makeState } from './state.js';
import { workloadTensors, type WorkloadSpec, type WorkloadTensor } from './workload.js';


export type NodeWay = 'writeFile' | 'createWriteStream';

export interface NodeRivalInput {
  way: NodeWay;
  folder: string;
  spec: WorkloadSpec;
  rank: number;
}

export interface NodeRivalAnswer {
  sample: RankSample;
  startedAt: string;
}

type Write = (path: string, parts: readonly Uint8Array[]) => Promise<void>;

const writers: Record<NodeWay, Write> = {
  writeFile: (path, parts) => writeFile(path, parts, { flag: 'wx' }),
  createWriteStream: (path, parts) => pipeline(parts, createWriteStream(path, { flags: 'wx' })),
};

async function run({ way, folder, spec, rank }: NodeRivalInput, parent: Parent): Promise<NodeRivalAnswer> {
  const state = makeState(spec, rank);
  const parts = [headerOf(workloadTensors(spec, rank)), ...Array.from(state.values(), ({ data }) => data as Uint8Array[]).flat()];
  globalThis.gc?.();
  const before = residentBytes();
  forgetPeak();
  await parent.ready();
  const startedAt = new Date().toISOString();
  const cpuBefore = process.cpuUsage();
  const start_ms = performance.now();
  const path = join(folder, 'model.safetensors');
  await writers[way](path, parts);
  const written_ms = performance.now();
  for (const written of [path, folder]) await sync(written);
  const seconds = (performance.now() - start_ms) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  const writtenSeconds = (written_ms - start_ms) / 1000;
  const sample = {
    bytes: parts.reduce((sum, part) => sum + part.length, 0),
    seconds,
    writtenSeconds,
    pauseSeconds: writtenSeconds,
    cpuSeconds: (user + system) / 1e6,
    peakBytes: Math.max(0, peakResidentBytes() - before),
  };
  return { sample, startedAt };
}

/** https://github.com/huggingface/safetensors#format */
function headerOf(tensors: readonly WorkloadTensor[]): Uint8Array {
  let offset = 0;
  const entries = tensors.map(({ name, dtype, shape, bytes }) => {
    const begin = offset;
    offset += bytes;
    return [name, { dtype, shape, data_offsets: [begin, offset] }];
  });
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json]);
}

async function sync(path: string): Promise<void> {
  const opened = await open(path);
  await opened.sync();
  await opened.close();
}

answerParent(run);
