/** Several ranks of one run in one process, which may each do anything: they must agree, or be told why not. */
import { CheckpointWriter, type Save, type Tensor } from 'snapshard';
import { MiB } from '../../support/bytes.js';
import type { Operation, Program } from './program.js';

interface Run {
  readonly writers: readonly CheckpointWriter[];
}

const runs = new WeakMap<Program, Run[]>();

function openRank(program: Program, rank: number, worldSize: number, runId: string): unknown {
  const { dice } = program;
  const deadlineMs = dice.pick([50, 400, 1500]);
  program.ranks += 1;
  const options = { stagingBytes: 2 * MiB, blockBytes: MiB, rank, worldSize, runId, deadlineMs };
  return CheckpointWriter.open(program.root, options);
}

/** Now and then one does not come, or comes twice. */
function meet(program: Program): void {
  const { dice, judge } = program;
  const worldSize = 2 + dice.below(2);
  const runId = `run ${dice.below(2 ** 31)}`;
  const ranks = Array.from({ length: worldSize }, (_, rank) => rank);
  if (dice.chance(0.1)) ranks.splice(dice.below(worldSize), 1);
  if (dice.chance(0.05)) ranks.push(dice.below(worldSize));
  const writers: CheckpointWriter[] = [];
  for (const rank of ranks) {
    judge.call('open rank', () => openRank(program, rank, worldSize, runId), (writer) => {
      writers[rank] = writer as CheckpointWriter;
      program.writers.push(writer as CheckpointWriter);
    });
  }
  const before = runs.get(program) ?? [];
  runs.set(program, [...before, { writers }]);
}

/** Rows of one tensor, and one that all have. */
function tensorsOf(program: Program, rank: number, worldSize: number): Record<string, Tensor> {
  const { dice } = program;
  const rows = new Uint8Array(64 * (1 + dice.below(50)) * 64).fill(rank);
  const columns = rows.length / 64;
  const own: Tensor = { dtype: 'U8', shape: [64, columns], data: rows };
  const tensors: Record<string, Tensor> = {
    rows: { dtype: 'U8', globalShape: [64 * worldSize, 64], origin: [64 * rank, 0], shape: [64, 64], data: new Uint8Array(4096) },
    norm: { dtype: 'U8', shape: [100], data: new Uint8Array(100), replicas: 'all' },
    [`own ${rank}`]: own,
  };
  if (dice.chance(0.1)) Reflect.deleteProperty(tensors, dice.pick(['rows', 'norm']));
  if (dice.chance(0.1)) Object.assign(tensors.rows ?? {}, { origin: [dice.below(200), 0] });
  return tensors;
}

function saveOnAll(program: Program): void {
  const { dice, judge } = program;
  const run = dice.anyOf(runs.get(program) ?? []);
  const { writers = [] } = run ?? {};
  if (writers.length === 0) {
    meet(program);
    return;
  }
  const step = dice.below(5);
  for (const [rank, writer] of writers.entries()) {
    if ((writer as CheckpointWriter | undefined) === undefined || dice.chance(0.07)) continue;
    const request = { step: dice.chance(0.03) ? step + 1 : step, tensors: tensorsOf(program, rank, writers.length), overwrite: dice.chance(0.8) };
    const signal = program.signal();
    const called = { save: (...args: unknown[]): unknown[] => [Reflect.apply(writer.save.bind(writer), writer, args)] };
    program.invoke(called, 'save', signal === undefined ? [request] : [request, { signal }], (value) => {
      const [save] = value as [Save];
      program.saves.push(save);
      judge.call('save of a rank', () => save);
    });
  }
}

/** They wait for each other, so that programs with them take longer. */
export const ranksOperations: readonly (readonly [number, Operation])[] = [
  [3, meet],
  [8, saveOnAll],
];
