/** One process of `runRead`. */
import { openCheckpoint, type Checkpoint } from '../restore/checkpoint.js';
import { answerParent, type Parent } from './child.js';
import { forgetPeak, peakResidentBytes, residentBytes } from './resident.js';
import type { ReadTrial } from './read.js';
import type { RankSample } from './result.js';
import { makeTargets } from './state.js';

export type ReadInput = ReadTrial & { rank: number };

export interface ReadAnswer {
  sample: RankSample;
  startedAt: string;
  how: string;
}

type Work = (checkpoint: Checkpoint) => Promise<{ bytes: number; how: string }>;

async function run(input: ReadInput, parent: Parent): Promise<ReadAnswer> {
  const work = input.work === 'verify' ? verifyAll(parent) : restoreInto(makeTargets(input.spec, input.rank));
  globalThis.gc?.();
  const before = residentBytes();
  forgetPeak();
  await parent.ready();
  const startedAt = new Date().toISOString();
  const cpuBefore = process.cpuUsage();
  const start_ms = performance.now();
  const checkpoint = await openCheckpoint(input.path, input.reader);
  const { bytes, how } = await work(checkpoint);
  const seconds = (performance.now() - start_ms) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  const peakBytes = Math.max(0, peakResidentBytes() - before);
  await checkpoint.close();
  return { sample: { bytes, seconds, cpuSeconds: (user + system) / 1e6, peakBytes }, startedAt, how };
}

function verifyAll(parent: Parent): Work {
  return async (checkpoint) => {
    const verification = checkpoint.verify();
    const followed = (async () => {
      for await (const { bytes } of verification.progress()) parent.progress(bytes);
    })();
    const { bytes, damaged } = await verification;
    await followed;
    const [first] = damaged;
    if (first !== undefined) throw new Error(`${first.file} is damaged at ${first.offset}: ${first.reason}`);
    return { bytes, how: '' };
  };
}

function restoreInto(targets: ReadonlyMap<string, Uint8Array[]>): Work {
  return async (checkpoint) => {
    const { bytes, engine, direct, engineReason, directReason, verified } = await checkpoint.readInto(targets);
    if (!verified) throw new Error('the restore was not verified');
    const reason = [engineReason, directReason].filter(Boolean).join('; ');
    return { bytes, how: `${engine}, direct ${direct}${reason ? ` (${reason})` : ''}` };
  };
}

answerParent(run);
