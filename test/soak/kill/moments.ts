import type { Dice } from '../misuse/dice.js';

/** What the victim does to itself. */
export interface OwnEnd {
  /** Saves before the one at whose start it is armed. */
  readonly after: number;
  readonly ending: 'kill' | 'term' | 'exit' | 'throw' | 'terminate';
  /** Of the save; with the share of its bytes that is done. Or: */
  readonly phase?: 'staging' | 'writing' | 'publishing';
  readonly share?: number;
  readonly delay_ms?: number;
}

/** Where a victim is killed. */
export interface Moment {
  readonly name: string;
  readonly end: OwnEnd | undefined;
  /** Killed by the tracer instead, as it enters this call of the system for this time. */
  readonly call?: { readonly names: string; readonly time: number };
  /** Whether what is killed is a writer that removes what an earlier one left. */
  readonly sweeping?: boolean;
}

type Make = (dice: Dice, save_ms: number) => Moment;

const atPhase = (phase: 'staging' | 'writing' | 'publishing'): Make => (dice) => ({
  name: phase,
  end: { after: dice.below(4), ending: 'kill', phase, share: phase === 'publishing' ? 0 : dice.below(100) / 100 },
});

const atTime = (ending: OwnEnd['ending']): Make => (dice, save_ms) => ({
  name: `${ending} after a time`,
  end: { after: dice.below(4), ending, delay_ms: dice.below(Math.ceil(save_ms * 1.5)) },
});

/**
 * @param perSave how often a save makes the call: about four saves are spread over
 * @param before how often it is made before the first save
 */
const atCall = (name: string, names: string, perSave: number, before = 0): Make => (dice) => ({
  name,
  end: undefined,
  call: { names, time: 1 + before + dice.below(4 * perSave) },
});

/** The calls of the thread that has to do with files; of the shards' own, most go through the ring. */
const moments: readonly Make[] = [
  atPhase('staging'),
  atPhase('writing'),
  atPhase('publishing'),
  atTime('kill'),
  atTime('kill'),
  atCall('making the directory', 'mkdirat', 2),
  atCall('preallocating', 'fallocate', 1),
  atCall('cutting to length', 'ftruncate', 1),
  atCall('syncing a shard', 'fdatasync', 1),
  atCall('writing manifests', 'openat2', 8, 4),
  atCall('syncing manifests, directories and the root', 'fsync', 7),
  atCall('syncing manifests, directories and the root', 'fsync', 7),
  atCall('renaming: publish, retire', 'renameat2', 2),
  atCall('renaming: publish, retire', 'renameat2', 2),
  atCall('deleting what was replaced', 'unlinkat', 6),
  (dice) => ({ name: 'sweeping', end: undefined, sweeping: true, call: { names: 'unlinkat', time: 1 + dice.below(3) } }),
  atTime('term'),
  atTime('exit'),
  atTime('throw'),
  atTime('terminate'),
];

/** By their number: any row of seeds that follow each other spreads over all. */
export function momentOf(seed: number, dice: Dice, save_ms: number): Moment {
  return moments[seed % moments.length]!(dice, save_ms);
}
