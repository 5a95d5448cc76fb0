import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { CheckpointWriter, removeCheckpoint } from 'snapshard';
import { MiB } from '../bytes.js';
import { childArgument } from '../child.js';

/** What the process and its root hold between two saves. */
export interface Sample {
  descriptors: number;
  threads: number;
  residentBytes: number;
  directories: number;
  /** Files that still hold disk space without a name. */
  unlinkedFiles: number;
}

export interface EnduranceReport {
  samples: Sample[];
  published: number;
  aborted: number;
  failed: number;
}

interface Argument {
  root: string;
  saves: number;
  kept: number;
  settled: number;
}

const { root, saves, kept, settled } = childArgument() as Argument;
const sampleEvery = 50;
const weights = new Float32Array((48 * MiB) / 4).fill(0.5);
const moments = new Uint8Array(16 * MiB).fill(3);
const report: EnduranceReport = { samples: [], published: 0, aborted: 0, failed: 0 };
const steps: number[] = [];

function status(field: string): number {
  const line = new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(line?.[1]);
}

function sample(): Sample {
  globalThis.gc?.();
  const targets = readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      return [readlinkSync(`/proc/self/fd/${descriptor}`)];
    } catch {
      return [];
    }
  });
  return {
    descriptors: targets.length,
    threads: status('Threads'),
    residentBytes: status('VmRSS') * 1024,
    directories: readdirSync(root).length,
    unlinkedFiles: targets.filter((target) => target.endsWith(' (deleted)') && target.startsWith(root)).length,
  };
}

/** Of each twenty saves, one is aborted and one loses a source while it is read. */
async function saveOne(writer: CheckpointWriter, step: number): Promise<void> {
  const tensors = { weights, moments: { dtype: 'U8' as const, shape: [moments.length], data: moments, group: 'optimizer' } };
  if (step % 20 === 7) {
    const controller = new AbortController();
    const save = writer.save({ step, tensors }, { signal: controller.signal });
    setTimeout(() => { controller.abort(new Error('enough')); }, step % 3);
    await save.then(() => undefined, () => undefined);
    report.aborted += 1;
  } else if (step % 20 === 13) {
    const doomed = new Uint8Array(MiB);
    const save = writer.save({ step, tensors: { ...tensors, doomed } });
    structuredClone(doomed.buffer, { transfer: [doomed.buffer] });
    await save.then(() => undefined, () => undefined);
    report.failed += 1;
  } else {
    await writer.save({ step, tensors });
    report.published += 1;
  }
  if (!readdirSync(root).includes(`step-${String(step).padStart(10, '0')}`)) return;
  steps.push(step);
  while (steps.length > kept) await removeCheckpoint(root, steps.shift()!);
}

const writer = await CheckpointWriter.open(root, { stagingBytes: 96 * MiB });
for (let step = 0; step < saves; step += 1) {
  await saveOne(writer, step);
  if (step >= settled && step % sampleEvery === 0) report.samples.push(sample());
}
await writer.close();
process.send?.(report);
