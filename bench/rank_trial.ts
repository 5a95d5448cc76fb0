/** One rank of a trial, in a process of its own, started by `runRanks`: opens a writer, waits for the others, saves. */
import { CheckpointWriter, type Tensor } from 'snapshard';
import { makeTensors } from './sources.js';

export interface RankTrial {
  folder: string;
  rank: number;
  worldSize: number;
  tensors: number;
  /** Of this rank's state. */
  bytes: number;
  /** Every rank has the same state; else each its own. */
  replicated: boolean;
  saves: number;
  stagingBytes: number;
}

/** Times are Unix times in milliseconds, as far as the clock of one machine can tell them. */
export interface RankSave {
  bytes: number;
  called_ms: number;
  /** When this rank's shards were on disk. */
  durable_ms: number;
  resolved_ms: number;
}

export type RankAnswer = { ready: true } | { saves: RankSave[] } | { failure: string };

function makeState({ tensors, bytes, rank, replicated }: RankTrial): Map<string, Tensor> {
  const own = makeTensors(tensors, bytes);
  const state = new Map<string, Tensor>();
  for (const [name, tensor] of own) {
    if (replicated) state.set(name, { ...tensor, replicas: 'all' });
    else state.set(`rank${rank}.${name}`, tensor);
  }
  return state;
}

async function saveOnce(writer: CheckpointWriter, tensors: Map<string, Tensor>, step: number): Promise<RankSave> {
  const called_ms = Date.now();
  const { bytes, timings } = await writer.save({ step, tensors });
  return { bytes, called_ms, durable_ms: called_ms + timings.durableSeconds * 1000, resolved_ms: Date.now() };
}

async function run(trial: RankTrial): Promise<void> {
  const { folder, rank, worldSize, stagingBytes, saves } = trial;
  const tensors = makeState(trial);
  const deadlineMs = 600_000;
  const writer = await CheckpointWriter.open(folder, { rank, worldSize, runId: 'bench', stagingBytes, deadlineMs });
  answer({ ready: true });
  const results: RankSave[] = [];
  for (let step = 1; step <= saves; step++) {
    await new Promise((resolve) => process.once('message', resolve));
    results.push(await saveOnce(writer, tensors, step));
    if (step < saves) answer({ ready: true });
  }
  await writer.close();
  answer({ saves: results });
}

function answer(message: RankAnswer): void {
  process.send?.(message);
}

/** The terminal's Ctrl-C reaches this process too; the parent decides, and ends it. */
process.on('SIGINT', () => undefined);
process.once('message', (trial: RankTrial) => {
  process.once('disconnect', () => process.exit(1));
  run(trial).catch((error: unknown) => {
    answer({ failure: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  });
});
