/** One rank of `runSave`, in a process of its own. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Published } from '../save/published.js';
import { CheckpointWriter } from '../save/writer.js';
import { removeCheckpoint } from '../store/remove_checkpoint.js';
import type { Tensor } from '../tensor/tensor.js';
import { answerParent, type Parent } from './child.js';
import { forgetPeak, peakResidentBytes, residentBytes } from './resident.js';
import type { RankSample } from './result.js';
import type { SaveTrial } from './save.js';
import { makeState } from './state.js';
import { traceRecord } from './trace_record.js';

export type SaveInput = Required<SaveTrial> & { rank: number; runId: string };

export interface SaveAnswer {
  saves: { sample: RankSample; startedAt: string }[];
  how: string;
  path: string;
}

const stepsKept = 2;

async function run(input: SaveInput, parent: Parent): Promise<SaveAnswer> {
  const { spec, rank, folder, runId } = input;
  const tensors = makeState(spec, rank);
  globalThis.gc?.();
  const before = residentBytes();
  forgetPeak();
  // Whoever started the ranks ends them all when one dies; a slow target may take as long as it takes.
  const place = { rank, worldSize: spec.ranks, runId, deadlineMs: Infinity };
  await using writer = await CheckpointWriter.open(folder, { ...input.writer, ...place });
  const saves: SaveAnswer['saves'] = [];
  let last: Published | undefined;
  let written = 0;
  await parent.ready();
  const begin_ms = Date.now();
  for (let index = 0; index < input.saves; index++) {
    await sleep(Math.max(0, begin_ms + index * input.intervalSeconds * 1000 - Date.now()));
    const startedAt = new Date().toISOString();
    const measured = await saveOnce(writer, tensors, index + 1, input.trace, (bytes) => {
      parent.progress(written + bytes);
    });
    written += measured.sample.bytes;
    last = measured.published;
    saves.push({ sample: { ...measured.sample, peakBytes: peakResidentBytes() - before }, startedAt });
    if (rank === 0 && index >= stepsKept) await removeCheckpoint(folder, index + 1 - stepsKept);
  }
  return { saves, how: howOf(last!), path: last!.path };
}

async function saveOnce(
  writer: CheckpointWriter,
  tensors: Map<string, Tensor>,
  step: number,
  trace: boolean,
  onProgress: (bytes: number) => void,
): Promise<{ published: Published; sample: RankSample }> {
  const cpuBefore = process.cpuUsage();
  const start_ms = performance.now();
  const save = writer.save({ step, tensors }, { trace });
  const called_ms = performance.now();
  const told = follow(save.progress(), onProgress);
  await save.staged;
  const staged_ms = performance.now();
  const published = await save;
  const published_ms = performance.now();
  const { user, system } = process.cpuUsage(cpuBefore);
  await told;
  const sample = {
    bytes: published.bytes,
    seconds: (published_ms - start_ms) / 1000,
    writtenSeconds: published.timings.writtenSeconds,
    pauseSeconds: (staged_ms - start_ms) / 1000,
    callSeconds: (called_ms - start_ms) / 1000,
    cpuSeconds: (user + system) / 1e6,
    ...(published.trace && { trace: traceRecord(published.trace) }),
  };
  return { published, sample };
}

async function follow(
  progress: AsyncIterable<{ writtenBytes: number }>,
  onProgress: (bytes: number) => void,
): Promise<void> {
  for await (const { writtenBytes } of progress) onProgress(writtenBytes);
}

function howOf({ engine, direct, engineReason, directReason }: Published): string {
  const reason = [engineReason, directReason].filter(Boolean).join('; ');
  return `${engine}, direct ${direct}${reason ? ` (${reason})` : ''}`;
}

answerParent(run);
