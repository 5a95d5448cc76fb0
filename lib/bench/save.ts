import { randomUUID } from 'node:crypto';
import type { WriterOptions } from '../save/writer_options.js';
import { runTogether, scriptBeside, type TogetherOptions } from './child.js';
import { togetherSample, type Measured } from './measured.js';
import type { RankSample } from './result.js';
import type { SaveAnswer, SaveInput } from './save_trial.js';
import type { WorkloadSpec } from './workload.js';

export interface SaveTrial {
  spec: WorkloadSpec;
  /** An empty folder. */
  folder: string;
  writer: WriterOptions;
  /** Records what each block went through. Default `false`. */
  trace?: boolean;
  /** How often the same tensors are saved, one step after the other, of which the last two are kept. Default 1. */
  saves?: number;
  /** From the beginning of one save to that of the next, or as soon as that has ended. Default 0. */
  intervalSeconds?: number;
}

export interface SaveResult {
  /** Of each save. */
  samples: Measured[];
  /** Engine, direct or not, and why not. */
  how: string;
  /** Of the last step: absolute. */
  path: string;
}

const script = scriptBeside(import.meta.url, 'save_trial');

/**
 * Saves a workload with a fresh process for each of its ranks, which have their tensors and writers before they begin
 * together.
 * @throws {SnapshardError} as the writer does
 */
export async function runSave(trial: SaveTrial, options: TogetherOptions): Promise<SaveResult> {
  const { saves = 1, intervalSeconds = 0, trace = false, ...rest } = trial;
  const runId = randomUUID();
  const inputs = Array.from({ length: trial.spec.ranks }, (_, rank): SaveInput => {
    return { ...rest, saves, intervalSeconds, trace, rank, runId };
  });
  const answers = await runTogether<SaveAnswer>(script, inputs, options);
  const samples = Array.from({ length: saves }, (_, save) => {
    const ofRanks = answers.map((answer): RankSample => answer.saves[save]!.sample);
    return togetherSample(ofRanks, answers[0]!.saves[save]!.startedAt);
  });
  return { samples, how: answers[0]!.how, path: answers[0]!.path };
}
