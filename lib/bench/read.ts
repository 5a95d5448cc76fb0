import type { CheckpointOptions } from '../restore/read_options.js';
import { runTogether, scriptBeside, type TogetherOptions } from './child.js';
import { togetherSample, type Measured } from './measured.js';
import type { ReadAnswer, ReadInput } from './read_trial.js';
import type { WorkloadSpec } from './workload.js';

export interface ReadTrial {
  /** The folder of a step that `runSave` made of this workload. */
  path: string;
  spec: WorkloadSpec;
  /** `verify`: one process compares all of it. `restore`: each rank reads its own tensors into its memory, verified. */
  work: 'verify' | 'restore';
  reader: CheckpointOptions;
}

const script = scriptBeside(import.meta.url, 'read_trial');

/**
 * Reads a checkpoint with fresh processes, which have the memory for it before they begin together.
 * @throws {SnapshardError} as the reader does
 */
export async function runRead(trial: ReadTrial, options: TogetherOptions): Promise<{ sample: Measured; how: string }> {
  const processes = trial.work === 'verify' ? 1 : trial.spec.ranks;
  const inputs = Array.from({ length: processes }, (_, rank): ReadInput => ({ ...trial, rank }));
  const answers = await runTogether<ReadAnswer>(script, inputs, options);
  const { startedAt, how } = answers[0]!;
  return { sample: togetherSample(answers.map(({ sample }) => sample), startedAt), how };
}
