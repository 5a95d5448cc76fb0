/** A raw loop of our own, with nothing to gather, hash or publish, in a process of its own: the limit of what is below. */
import { answerParent, type Parent } from './child.js';
import { probeCopy, probeRead, probeWrite, type ProbeOptions } from './probe.js';
import type { RankSample } from './result.js';

export type ProbeInput =
  | ({ kind: 'write'; folder: string } & ProbeOptions)
  | ({ kind: 'read'; path: string } & ProbeOptions)
  | { kind: 'copy'; bytes: number; threads: number };

export interface ProbeAnswer {
  sample: RankSample;
  startedAt: string;
  how: string;
}

async function run(input: ProbeInput, parent: Parent): Promise<ProbeAnswer> {
  await parent.ready();
  const startedAt = new Date().toISOString();
  const { how, ...measured } = await probe(input);
  return { sample: { bytes: input.bytes, ...measured }, startedAt, how };
}

async function probe(input: ProbeInput): Promise<Omit<RankSample, 'bytes'> & { how: string }> {
  if (input.kind === 'copy') {
    const { kind: _, ...options } = input;
    return { ...(await probeCopy(options)), how: `${options.threads} threads` };
  }
  if (input.kind === 'write') {
    const { kind: _, folder, ...options } = input;
    return probeWrite(folder, options);
  }
  const { kind: _, path, ...options } = input;
  return probeRead(path, options);
}

answerParent(run);
