import type { WriterOptions } from 'snapshard';
import { KiB, MiB } from '../../support/bytes.js';

export interface ProgramSave {
  readonly step: number;
  readonly seed: number;
  readonly tensorBytes: readonly number[];
  readonly overwrite: boolean;
}

/** Saves that are under way together, one during which the process is killed, or the removal of a step. */
export type Operation =
  | { readonly saves: readonly ProgramSave[] }
  | { readonly dies: ProgramSave; readonly after_ms: number }
  | { readonly removes: number };

export interface WriterProgram {
  readonly root: string;
  readonly options: WriterOptions;
  /** That many save together, all in one process. */
  readonly ranks: number;
  readonly operations: readonly Operation[];
}

/** Of a list that is not empty. */
export function pick<Value>(random: () => number, values: readonly Value[]): Value {
  return values[Math.floor(random() * values.length)]!;
}

function saveOf(random: () => number, step: number, overwrite: boolean): ProgramSave {
  const count = 1 + Math.floor(random() * 4);
  const tensorBytes = Array.from({ length: count }, () => Math.floor(random() ** 2 * 1.5 * MiB));
  return { step, seed: Math.floor(random() * 2 ** 31), tensorBytes, overwrite };
}

/** It may have been published when the process was killed. */
function killedAndAgain(random: () => number, save: ProgramSave): Operation[] {
  return [{ dies: save, after_ms: random() ** 2 * 60 }, { saves: [{ ...save, overwrite: true }] }];
}

/** Saves of new steps, alone, two together, or killed and saved again; replacements and removals. The last is a save. */
function operationsOf(random: () => number, count: number): Operation[] {
  const operations: Operation[] = [];
  const live: number[] = [];
  let newest = 0;
  const fresh = (): ProgramSave => {
    live.push((newest += 1));
    return saveOf(random, newest, false);
  };
  while (operations.length < count - 1) {
    const roll = random();
    if (live.length === 0 || roll < 0.2) operations.push({ saves: [fresh()] });
    else if (roll < 0.3) operations.push(...killedAndAgain(random, fresh()));
    else if (roll < 0.45) operations.push({ saves: [fresh(), fresh()] });
    else if (roll < 0.75) operations.push({ saves: [saveOf(random, pick(random, live), true)] });
    else operations.push({ removes: live.splice(Math.floor(random() * live.length), 1)[0]! });
  }
  return [...operations, { saves: [fresh()] }];
}

/** What one process after the other carries out. */
export function lifetimes(operations: readonly Operation[]): Operation[][] {
  const lives: Operation[][] = [[]];
  for (const operation of operations) {
    lives.at(-1)?.push(operation);
    if ('dies' in operation) lives.push([]);
  }
  return lives;
}

export function randomProgram(random: () => number, root: string): WriterProgram {
  const options = {
    ...{ stagingBytes: 4 * MiB, blockBytes: MiB, shardBytes: pick(random, [MiB + 64 * KiB, 16 * MiB]) },
    direct: random() < 0.7,
    engine: pick(random, ['auto', 'pwrite'] as const),
  };
  const operations = operationsOf(random, 8);
  return { root, options, ranks: random() < 0.7 ? 1 : 2, operations };
}
