/** A raw loop of our own, with nothing to gather, hash or publish, in a process of its own: the limit of what is below. */
import { answerParent, type Parent } from './child.js';
import { probeCopy, probeRead, probeWrite, type ProbeDrive } from './probe.js';
import type { RankSample } from './result.js';

export type ProbeInput =
  | { kind: 'write'; folder: string; bytes: number; drive: ProbeDrive }
  | { kind: 'read'; paths: readonly string[]; drive: ProbeDrive }
  | { kind: 'copy'; bytes: number; threads: number };

export interface ProbeAnswer {
  sample: RankSample;
  startedAt: string;
  how: string;
}

async function run(input: ProbeInput, parent: Parent): Promise<ProbeAnswer> {
  await parent.ready();
  const startedAt = new Date().toISOString();
  return { ...(await probe(input)), startedAt };
}

async function probe(input: ProbeInput): Promise<Pick<ProbeAnswer, 'sample' | 'how'>> {
  if (input.kind === 'copy') {
    const { bytes, threads } = input;
    return { sample: await probeCopy({ bytes, threads }), how: '4 MiB at a time' };
  }
  if (input.kind === 'write') {
    const { bytes, seconds, writtenSeconds, cpuSeconds, how } = await probeWrite(input.folder, { bytes: input.bytes, ...input.drive });
    return { sample: { bytes, seconds, writtenSeconds, cpuSeconds }, how };
  }
  const sample = { bytes: 0, seconds: 0, cpuSeconds: 0 };
  let how = '';
  for (const path of input.paths) {
    const read = await probeRead(path, input.drive);
    sample.bytes += read.bytes;
    sample.seconds += read.seconds;
    sample.cpuSeconds += read.cpuSeconds;
    how = read.how;
  }
  return { sample, how };
}

answerParent(run);
