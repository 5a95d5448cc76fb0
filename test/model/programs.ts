import type { Tensor } from '../../lib/index.js';
import { SnapshardError } from '../../lib/errors.js';
import { CheckpointWriter } from '../../lib/save/writer.js';
import type { FailureReport, Program, RankRun } from './rank_run.js';

export interface SaveCall {
  readonly step: number;
  readonly overwrite?: boolean;
  /** The call fails at once: its arguments are wrong. */
  readonly wrong?: boolean;
  /** Side files by name. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface ProgramParts {
  readonly rank: number;
  readonly worldSize: number;
  readonly runId: string;
  readonly saves: readonly SaveCall[];
  /** All saves are asked for before the first is awaited. Default: one after the other. */
  readonly pipelined?: boolean;
}

/** A process that opens a writer, saves, and closes it, by the library's own code. */
export function programOf(parts: ProgramParts): Program {
  return async (run) => {
    const { rank, worldSize, runId } = parts;
    let writer: CheckpointWriter;
    try {
      writer = await CheckpointWriter.open('/model', { rank, worldSize, runId, deadlineMs: 1000 });
    } catch (error) {
      run.report({ kind: 'not opened', failure: failureOf(error) });
      return;
    }
    run.report({ kind: 'opened', nonces: run.nonces });
    const ended: Promise<void>[] = [];
    for (const [call, save] of parts.saves.entries()) {
      ended.push(saveOnce(run, writer, parts, save, call));
      if (parts.pipelined !== true) await ended.at(-1);
    }
    await Promise.all(ended);
    try {
      await writer.close();
      run.report({ kind: 'closed', nonces: run.nonces });
    } catch (error) {
      run.report({ kind: 'not closed', failure: failureOf(error) });
    }
  };
}

async function saveOnce(
  run: RankRun,
  writer: CheckpointWriter,
  { rank, worldSize }: ProgramParts,
  { step, overwrite = false, wrong = false, files = {} }: SaveCall,
  call: number,
): Promise<void> {
  const controller = new AbortController();
  const abort = (): void => {
    controller.abort();
  };
  const slice: Tensor = {
    dtype: 'U8',
    shape: wrong ? [2] : [1],
    globalShape: [worldSize],
    origin: [rank],
    data: new Uint8Array(1),
  };
  run.abortSave = abort;
  try {
    const { signal } = controller;
    const saved = await writer.save({ step, tensors: { weight: slice }, overwrite, files }, { signal });
    run.report({ kind: 'saved', call, step, name: saved.path.slice('/model/'.length), digest: saved.digest });
  } catch (error) {
    run.report({ kind: 'failed', call, step, failure: failureOf(error) });
  }
  if (run.abortSave === abort) run.abortSave = undefined;
}

function failureOf(error: unknown): FailureReport {
  if (error instanceof SnapshardError) return { code: error.code, ranks: error.ranks, message: error.message };
  return { code: error instanceof Error ? error.name : typeof error, ranks: undefined, message: String(error) };
}
