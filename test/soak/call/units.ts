import type { WriterOptions } from 'snapshard';
import { environmentPhases } from './environment.js';
import type { Phase } from './phase.js';
import { ranksPhases } from './ranks.js';
import { readingPhases } from './reading.js';
import { writingPhases } from './writing.js';

/** How the add-on works while its calls are refused. */
export interface Setting {
  readonly name: string;
  readonly writer: WriterOptions;
  readonly direct: boolean;
  /** What this kernel does not have; then other calls are made in place of these. */
  readonly without: Readonly<Record<string, string>>;
}

export const settings: readonly Setting[] = [
  { name: 'io_uring', writer: { engine: 'auto' }, direct: true, without: {} },
  { name: 'pwrite', writer: { engine: 'pwrite' }, direct: true, without: {} },
  { name: 'buffered', writer: { engine: 'pwrite' }, direct: false, without: {} },
  {
    name: 'old kernel',
    writer: { engine: 'auto' },
    direct: true,
    without: {
      fallocate: 'EOPNOTSUPP',
      io_uring_setup: 'ENOSYS',
      openat2: 'ENOSYS',
      process_vm_readv: 'ENOSYS',
      renameat2: 'EINVAL',
      statx: 'ENOSYS',
    },
  },
];

export const phases: readonly Phase[] = [...environmentPhases, ...writingPhases, ...readingPhases, ...ranksPhases];

/** A phase in a setting: all of its calls are refused one at a time. */
export interface Unit {
  readonly setting: Setting;
  readonly phase: Phase;
  /** Each call is refused once; or from some time on always. */
  readonly on: boolean;
}

const all = [false, true].flatMap((on) => settings.flatMap((setting) => phases.map((phase) => ({ setting, phase, on }))));

/** Every row of as many seeds as there are units has each of them once. */
export function unitOf(seed: number): Unit {
  return all[seed % all.length]!;
}

export const unitCount = all.length;

/** The seed of one of them. */
export function seedOf(setting: string, phase: string, on = false): number {
  const seed = all.findIndex((unit) => unit.setting.name === setting && unit.phase.name === phase && unit.on === on);
  if (seed < 0) throw new Error(`There is no ${phase} with ${setting}.`);
  return seed;
}
