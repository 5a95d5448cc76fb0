import type { WriterOptions } from 'snapshard';
import { KiB, MiB } from '../../support/bytes.js';

export interface ProgramSave {
  readonly step: number;
  readonly seed: number;
  readonly tensorBytes: readonly number[];
  readonly overwrite: boolean;
}

/** Saves that are under way together, or the removal of a step. */
export type Operation = { readonly saves: readonly ProgramSave[] } | { readonly removes: number };

export interface WriterProgram {
  readonly root: string;
  readonly options: WriterOptions;
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

/** Saves of new steps, alone or two together, replacements and removals; the last is a save. */
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
    if (live.length === 0 || roll < 0.3) operations.push({ saves: [fresh()] });
    else if (roll < 0.45) operations.push({ saves: [fresh(), fresh()] });
    else if (roll < 0.75) operations.push({ saves: [saveOf(random, pick(random, live), true)] });
    else operations.push({ removes: live.splice(Math.floor(random() * live.length), 1)[0]! });
  }
  return [...operations, { saves: [fresh()] }];
}

export function randomProgram(random: () => number, root: string): WriterProgram {
  const options = {
    ...{ stagingBytes: 4 * MiB, blockBytes: MiB, shardBytes: pick(random, [MiB + 64 * KiB, 16 * MiB]) },
    direct: random() < 0.7,
    engine: pick(random, ['auto', 'pwrite'] as const),
  };
  return { root, options, operations: operationsOf(random, 8) };
}
